import { setOutput } from "@actions/core";
import type { Backends } from "../loadbalancer/waits.ts";
import type { ObjectChange } from "../plan/plan.ts";

/** What a run changes, or in mode plan would change. */
export interface PlanReport {
  /** Why the release is upgraded; empty when it isn't. */
  upgrade: string[];
  /** Why it is upgraded again once Milvus answers through the load balancer. */
  later: string[];
  /** The Helm values that change; undefined: there is none. `***`: one of the user's own, which may be secret. */
  values: { path: string; before?: unknown; after?: unknown }[];
  objects: ObjectChange[];
  /** Workloads whose pods are replaced. */
  restarts: string[];
  /** What that means for those who use Milvus today. */
  consequences: string[];
  /** Values that earlier revisions of the release had, with the newest one that did. */
  lost: { path: string; revision: number }[];
}

/** What a run has found out so far: it is reported even when the run fails. */
export interface Known {
  host?: string;
  ingress?: string;
  address?: string;
  certificateStatus?: "Active" | "Provisioning";
  certificateExpires?: string | undefined;
  caCertificate?: string;
  caCertificateFile?: string;
  releaseRevision?: number;
  chartVersion?: string;
  milvusVersion?: string;
  backends?: Backends;
  changed: boolean;
  plan?: PlanReport;
  /** Name and duration in milliseconds of each step that was begun. */
  steps: { name: string; duration: number }[];
}

/** Sets every output whose value is known. */
export function setOutputs(known: Known): void {
  const outputs: Record<string, string | number | undefined> = {
    address: known.address,
    host: known.host,
    port: known.address && 443,
    uri: known.address && uriOf(known.address),
    ingress: known.ingress,
    certificate_status: known.certificateStatus,
    certificate_expires: known.certificateExpires,
    ca_certificate: known.caCertificate,
    ca_certificate_file: known.caCertificateFile,
    release_revision: known.releaseRevision,
    chart_version: known.chartVersion,
    milvus_version: known.milvusVersion,
    backends: known.backends && JSON.stringify(known.backends),
    changed: String(known.changed),
    plan: known.plan && JSON.stringify(known.plan),
  };
  for (const [name, value] of Object.entries(outputs)) if (value !== undefined) setOutput(name, value);
}

/** Returns what `MilvusClient(uri=...)` takes. */
export function uriOf(address: string): string {
  return `https://${address.includes(":") ? `[${address}]` : address}:443`;
}
