import { RELEASE } from "../../bench/lab.ts";
import type { Bench } from "../bench.ts";
import { addressOf, type Cell } from "../cell.ts";

/** The ManagedCertificate's name. */
export const MANAGED_CERTIFICATE = `${RELEASE}-milvus-tls`;

/**
 * Lets a cell wait for a certificate of Google's. Nobody leads the host to the
 * load balancer before the fault.
 */
export function withManagedCertificate(cell: Cell): Cell {
  return {
    ...cell,
    through: "google",
    inputs: (bench) => ({
      host: hostOf(bench),
      certificate: "google-managed",
      wait_for: "certificate",
    }),
    mend: leadHost,
  };
}

/** The same in a Cloud DNS zone, in which the action leads the host to the load balancer. */
export function withManagedCertificateAndZone(cell: Cell): Cell {
  return {
    ...cell,
    through: "google",
    inputs: (bench) => ({
      host: hostOf(bench),
      certificate: "google-managed",
      dns_zone: bench.namespace,
    }),
    async prepare(bench) {
      await bench.control("PUT", `dns-zones/${bench.namespace}`, { dnsName: `${hostOf(bench)}.` });
      return {};
    },
  };
}

/** Leads the host to the load balancer. */
export async function leadHost(bench: Bench): Promise<void> {
  await pointHost(bench, await addressOf(bench));
}

/** Lets the host's DNS record point to an address. */
export async function pointHost(bench: Bench, address: string): Promise<void> {
  await bench.control("PUT", `dns-records/${hostOf(bench)}`, { type: "A", values: [address] });
}

function hostOf({ namespace }: Bench): string {
  return `${namespace}.milvus.io`;
}
