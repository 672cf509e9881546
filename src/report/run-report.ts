import { setOutput } from "@actions/core";
import type { Backends } from "../loadbalancer/waits.ts";
import type { ObjectChange } from "../plan/changes.ts";

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
export interface RunReport {
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
export function setOutputs(report: RunReport): void {
  const outputs: Record<string, string | number | undefined> = {
    address: report.address,
    host: report.host,
    port: report.address && 443,
    uri: report.address && uriOf(report.address),
    ingress: report.ingress,
    certificate_status: report.certificateStatus,
    certificate_expires: report.certificateExpires,
    ca_certificate: report.caCertificate,
    ca_certificate_file: report.caCertificateFile,
    release_revision: report.releaseRevision,
    chart_version: report.chartVersion,
    milvus_version: report.milvusVersion,
    backends: report.backends && JSON.stringify(report.backends),
    changed: String(report.changed),
    plan: report.plan && JSON.stringify(report.plan),
  };
  for (const [name, value] of Object.entries(outputs)) if (value !== undefined) setOutput(name, value);
}

/** Returns what `MilvusClient(uri=...)` takes. */
export function uriOf(address: string): string {
  return `https://${address.includes(":") ? `[${address}]` : address}:443`;
}
