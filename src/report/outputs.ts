import { setOutput } from "@actions/core";
import { countChanges, hasChanges } from "./change-counts.ts";
import { consoleUrl } from "./console-links.ts";
import { dnsRecord, endpointOf, uriOf } from "./endpoint.ts";
import type { PlanReport, RunReport } from "./run-report.ts";

/** Sets the outputs whose values are known. */
export function setOutputs(report: RunReport, summary: string): void {
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
    authentication: report.authentication,
    backends: report.backends && JSON.stringify(report.backends),
    changed: String(report.changes > 0),
    values_overlay: report.valuesOverlay,
    values_overlay_file: report.valuesOverlayFile,
    plan: report.plan && JSON.stringify(report.plan),
    summary: summary || undefined,
    endpoint: endpointOf(report),
    dns_record: report.address && report.host && dnsRecord(report.host, report.address),
    console_url: report.projectId && consoleUrl(report.projectId),
    ...planOutputs(report.plan),
  };
  for (const [name, value] of Object.entries(outputs)) if (value !== undefined) setOutput(name, value);
}

function planOutputs(plan: PlanReport | undefined): Record<string, string | number> {
  if (!plan) return {};
  const { create, change, delete: deleted } = countChanges(plan);
  return {
    would_change: String(hasChanges(plan)),
    to_create: create,
    to_change: change,
    to_delete: deleted,
  };
}
