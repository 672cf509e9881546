import { setTimeout as delay } from "node:timers/promises";
import { RELEASE } from "../../bench/lab.ts";
import type { NamespacedFault } from "../../cloud.ts";
import { type Cell, cell, FAULT_MS, kubectlIn, type Moment } from "../cell.ts";
import { leadHost, pointHost, withManagedCertificate } from "./managed-certificate.ts";

/** An address of a network for documentation: it leads nowhere. */
const ELSEWHERE = "192.0.2.1";

/** The load balancer at Google, and the DNS name of the host. */
export const LOAD_BALANCER_CELLS: readonly Cell[] = [
  {
    ...atGoogle("ssl-certificate-quota", "quota of certificates used up", "quota"),
    shownBy: /^Warning Ingress: .*SSL_CERTIFICATES/,
  },
  {
    ...atGoogle("backend-service-quota", "quota of backend services used up", "quota"),
    shownBy: /^Warning Ingress: .*BACKEND_SERVICES/,
  },
  {
    ...atGoogle("organization-policy", "organisation policy forbids load balancers", "organisation-policy"),
    shownBy: /^Warning Ingress: .*conditionNotMet/,
  },
  atGoogle("unhealthy-backends", "backends stay unhealthy", "unhealthy-backends", {
    backends_timeout: "15s",
  }),
  atGoogle("identity-aware-proxy", "Identity-Aware Proxy asks for a login", "log-in"),
  {
    ...cell("address comes later than address_timeout", "start", "no-address-yet"),
    prepare: async () => ({ inputs: { address_timeout: "1s" } }),
    strike: async () => {},
  },
  {
    ...cell("address goes, and comes back", "backends", "success"),
    strike: (bench) =>
      kubectlIn(
        bench,
        ...["patch", "ingress", `${RELEASE}-milvus`, "--subresource=status", "--type=merge"],
        ...["--patch", JSON.stringify({ status: { loadBalancer: { ingress: null } } })],
      ).then(() => undefined),
  },
  ...(["address", "backends", "proof"] as const).map((moment) => flapping(moment)),
  withManagedCertificate({
    ...cell("DNS leads the host elsewhere, then to the load balancer", "certificate", "success"),
    async strike(bench) {
      await pointHost(bench, ELSEWHERE);
      await delay(FAULT_MS);
      await leadHost(bench);
    },
  }),
  withManagedCertificate({
    ...cell("DNS leads the host elsewhere", "certificate", "certificate-not-active"),
    prepare: async () => ({ inputs: { certificate_timeout: "15s" } }),
    strike: (bench) => pointHost(bench, ELSEWHERE),
  }),
];

function atGoogle(
  fault: NamespacedFault,
  title: string,
  expected: string,
  inputs: Record<string, string> = {},
): Cell {
  return {
    ...cell(title, "start", expected),
    prepare: async () => ({ inputs }),
    strike: ({ control, namespace }) => control("PUT", `faults/${fault}`, { namespace }),
    mend: ({ control, namespace }) => control("DELETE", `faults/${fault}`, { namespace }),
  };
}

function flapping(moment: Moment): Cell {
  return {
    ...cell("backends unhealthy for 3 s", moment, "success"),
    async strike({ control, namespace }) {
      await control("PUT", "faults/unhealthy-backends", { namespace });
      await delay(FAULT_MS);
      await control("DELETE", "faults/unhealthy-backends", { namespace });
    },
  };
}
