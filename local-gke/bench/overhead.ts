import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSettings } from "../../src/inputs/settings.ts";
import { makeAuthority, makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import {
  backendConfigManifest,
  ingressManifest,
  tlsSecretManifest,
} from "../../src/loadbalancer/manifests.ts";
import { authoritySecretName } from "../../src/loadbalancer/references.ts";
import { loadBalancerValues } from "../../src/milvus/values.ts";
import type { Figure } from "./figure.ts";
import {
  groupsOf,
  HOST,
  type Lab,
  type LoggedRun,
  RELEASE,
  storedRelease,
  succeed,
  THROUGH_GOOGLE,
} from "./lab.ts";

const PAIRS = 5;

/**
 * Compares the action's time until the address with that of the bare commands that do the same. The two
 * alternate, each with a new release.
 */
export async function overhead(lab: Lab): Promise<Figure[]> {
  const bare: number[] = [];
  const action: LoggedRun[] = [];
  const measureBare = async () => {
    bare.push(await lab.withRelease((namespace) => bareSequence(lab, namespace)));
  };
  const measureAction = async () => {
    const inputs = { ...THROUGH_GOOGLE, wait_for: "address" };
    action.push(await lab.withRelease((namespace) => lab.act({ ...inputs, namespace })));
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    const turns = pair % 2 === 0 ? [measureBare, measureAction] : [measureAction, measureBare];
    for (const turn of turns) await turn();
  }
  const seconds = action.map(({ milliseconds }) => milliseconds / 1000);
  const steps = action.map(({ log }) => groupsOf(log));
  return [
    { name: "helm upgrade --wait, kubectl apply, kubectl wait", unit: "s", values: bare },
    { name: "the action, to the address", unit: "s", values: seconds },
    ...[...(steps[0]?.keys() ?? [])].map((name): Figure => {
      return { name: `  ${name}`, unit: "s", values: steps.map((groups) => (groups.get(name) ?? 0) / 1000) };
    }),
    {
      name: "overhead of the action (per pair)",
      unit: "x",
      values: seconds.map((time, pair) => time / (bare[pair] ?? Number.NaN)),
      target: 1.15,
    },
  ];
}

/** What the bare commands need: files, and names. */
export interface BareCommands {
  /** Upgrades the release, applies the manifests and waits for the address. */
  run(): Promise<string>;
}

/** Runs the bare commands and returns their duration in seconds, without the preparation of their files. */
async function bareSequence(lab: Lab, namespace: string): Promise<number> {
  const commands = await bareCommands(lab, namespace);
  const started = performance.now();
  await commands.run();
  return (performance.now() - started) / 1000;
}

/** Prepares the bare commands that put a release behind a load balancer. They return the address. */
export async function bareCommands(
  { helm, kubectl, chart, gke }: Lab,
  namespace: string,
): Promise<BareCommands> {
  const release = await storedRelease(kubectl, gke, namespace);
  const inputs: Record<string, string> = { host: HOST, release: RELEASE, ...THROUGH_GOOGLE };
  const settings = readSettings((name) => inputs[name] ?? "", "/");
  const names = {
    namespace,
    host: HOST,
    ingress: settings.ingressName,
    backendConfig: settings.backendConfigName,
    frontendConfig: settings.frontendConfigName,
    ingressClass: "gce",
    tlsSecret: settings.tlsSecret,
    authoritySecret: authoritySecretName(settings.tlsSecret),
    managedCertificate: undefined,
    service: `${RELEASE}-milvus`,
  };
  const port = { name: "milvus", port: 19530 };
  const folder = await mkdtemp(join(gke.directory, "bare-"));
  const [overlay, manifests] = [join(folder, "overlay.json"), join(folder, "manifests.json")];
  const now = Date.now();
  const authority = await makeAuthority(HOST, now);
  const pair = await makeCertificate(HOST, authority, now);
  const items = [
    backendConfigManifest(names, settings),
    tlsSecretManifest(namespace, names.authoritySecret, authority),
    tlsSecretManifest(namespace, names.tlsSecret, pair),
    ingressManifest(names, port, settings, { secrets: [names.tlsSecret], preShared: [], managed: [] }),
  ];
  const values = loadBalancerValues(release.computedValues, port, names.backendConfig);
  await writeFile(overlay, JSON.stringify(values));
  await writeFile(manifests, JSON.stringify({ apiVersion: "v1", kind: "List", items }));

  const where = ["--namespace", namespace];
  const upgrade = ["upgrade", RELEASE, chart, ...where, "--reset-then-reuse-values", "--values", overlay];
  const path = "jsonpath={.status.loadBalancer.ingress}";
  const address = [
    "ingress",
    names.ingress,
    ...where,
    "--output",
    "jsonpath={.status.loadBalancer.ingress[0].ip}",
  ];
  return {
    async run() {
      await succeed(helm, [...upgrade, "--wait=legacy"]);
      await succeed(kubectl, ["apply", "--server-side", ...where, "--filename", manifests]);
      await succeed(kubectl, [
        "wait",
        `--for=${path}`,
        `ingress/${names.ingress}`,
        ...where,
        "--timeout=60s",
      ]);
      return (await succeed(kubectl, ["get", ...address])).stdout;
    },
  };
}
