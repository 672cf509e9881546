import { RELEASE } from "../../bench/lab.ts";
import { selfSigned } from "../../milvus/certificate.ts";
import type { Bench } from "../bench.ts";
import { type Cell, cell, kubectlIn, type Moment } from "../cell.ts";
import { leadHost, MANAGED_CERTIFICATE, withManagedCertificate } from "./managed-certificate.ts";

const INGRESS = `${RELEASE}-milvus`;
const SERVICE = `${RELEASE}-milvus`;
const SECRET = `${RELEASE}-milvus-tls`;
const BACKEND_CONFIG = `${RELEASE}-backendconfig`;

/** What somebody else does to the objects that a run waits for. */
export const OBJECT_CELLS: readonly Cell[] = [
  ...(["address", "backends", "proof"] as const).map((moment) => deletion("Ingress", INGRESS, moment)),
  ...(["address", "backends", "proof"] as const).map((moment) => deletion("Service", SERVICE, moment)),
  ...(["address", "backends"] as const).map((moment) => deletion("Secret", SECRET, moment)),
  withManagedCertificate(deletion("ManagedCertificate", MANAGED_CERTIFICATE, "certificate")),
  {
    ...withManagedCertificate(deletion("Ingress", INGRESS, "presented")),
    async prepare(bench) {
      await bench.act({ inputs: { wait_for: "address" } });
      await leadHost(bench);
      return {};
    },
  },
  {
    ...cell("BackendConfig deleted by somebody else", "address", "backend-config-not-found"),
    shownBy: /^Warning Ingress: .*BackendConfig/,
    strike: (bench) => remove(bench, "backendconfig", BACKEND_CONFIG),
  },
  changed("BackendConfig's time-out changed by somebody else", "backends", ["success"], (bench) =>
    patch(bench, "backendconfig", BACKEND_CONFIG, { spec: { timeoutSec: 77 } }),
  ),
  {
    ...changed(
      "BackendConfig's health check broken by somebody else",
      "backends",
      ["health-check"],
      (bench) =>
        patch(bench, "backendconfig", BACKEND_CONFIG, { spec: { healthCheck: { requestPath: "/nothing" } } }),
    ),
    prepare: async () => ({ inputs: { backends_timeout: "15s" } }),
  },
  changed("Ingress annotated by somebody else", "address", ["success"], (bench) =>
    annotate(bench, "ingress", INGRESS, "example.com/by=somebody"),
  ),
  ...(["address", "backends", "proof"] as const).map((moment) => ({
    ...changed("Ingress given another class", moment, ["other-ingress-class"], (bench) =>
      annotate(bench, "ingress", INGRESS, "kubernetes.io/ingress.class=nginx"),
    ),
    shownBy: /^Ingress \S+ of class nginx$/,
  })),
  ...(["address", "backends"] as const).map((moment) => ({
    ...changed("Secret given another certificate", moment, ["other-run"], async (bench) => {
      const { certificate, privateKey } = await selfSigned("example.com");
      const data = { "tls.crt": base64(certificate), "tls.key": base64(privateKey) };
      await patch(bench, "secret", SECRET, { data });
    }),
    shownBy: new RegExp(`^changed Secret ${SECRET}$`),
  })),
  ...(["address", "backends"] as const).map((moment) => ({
    ...changed("Service's network endpoint groups turned off", moment, ["neg-annotation-lost"], (bench) =>
      annotate(bench, "service", SERVICE, "cloud.google.com/neg-"),
    ),
    shownBy: /^Warning Ingress: .*when not using NEGs/,
  })),
];

function deletion(kind: string, name: string, moment: Moment): Cell {
  return {
    ...cell(`${kind} deleted by somebody else`, moment, "deleted-meanwhile"),
    shownBy: new RegExp(`^deleted ${kind} ${name}$`),
    strike: (bench) => remove(bench, kind, name),
  };
}

function changed(
  fault: string,
  moment: Moment,
  expected: Cell["expected"],
  strike: (bench: Bench) => Promise<void>,
): Cell {
  return { ...cell(fault, moment, ...expected), strike };
}

async function remove(bench: Bench, kind: string, name: string): Promise<void> {
  await kubectlIn(bench, "delete", kind, name, "--wait=false");
}

async function patch(bench: Bench, kind: string, name: string, change: object): Promise<void> {
  await kubectlIn(bench, "patch", kind, name, "--type=merge", "--patch", JSON.stringify(change));
}

async function annotate(bench: Bench, kind: string, name: string, annotation: string): Promise<void> {
  await kubectlIn(bench, "annotate", kind, name, annotation, "--overwrite");
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
