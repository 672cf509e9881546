import type { Settings } from "../inputs/settings.ts";
import { hasChanges } from "./change-counts.ts";
import { changesTable } from "./changes-table.ts";
import { consoleUrl, logsUrl, workloadsUrl } from "./console-links.ts";
import { timeline, trafficDiagram } from "./diagrams.ts";
import { dnsRecord, endpointOf, isByName } from "./endpoint.ts";
import { failureParts } from "./failure.ts";
import { alert, code, fence, fold, plain, table } from "./markdown.ts";
import { connectionPrograms } from "./programs.ts";
import type { RunReport } from "./run-report.ts";
import { verdictOf } from "./verdict.ts";

/** The runner drops a longer summary (actions/runner, CreateStepSummaryCommand), in bytes. */
const MAX_BYTES = 1024 * 1024;
const CUT = "\n\n(The rest is left out, because the summary would be too long. The output `plan` has it.)\n";

/** The longest summary that fits into a comment of a pull request with room to spare, in characters. */
const MAX_OUTPUT = 64_000;

/** Returns the job summary as it is wanted; empty for none. */
export function wantedSummary(
  report: RunReport,
  { mode, summary }: Pick<Settings, "mode" | "summary">,
  failure: string | undefined,
): string {
  if (summary === "none") return "";
  const full = summaryOf(report, mode, failure);
  const isUneventful =
    failure === undefined && report.changes === 0 && report.plan !== undefined && !hasChanges(report.plan);
  if (summary === "full" || !isUneventful || report.openDoor) return full;
  const [verdict = "", ...rest] = full.split("\n\n");
  const endpoint = endpointOf(report);
  const certificate = certificateState(report);
  return [
    verdict,
    ...(endpoint ? [`Endpoint ${code(endpoint)}, Ingress ${code(report.ingress ?? "")}.`] : []),
    ...(certificate
      ? [`Certificate: ${certificate}. Milvus: ${code(report.milvusVersion ?? "unknown")}.`]
      : []),
    `${fold("Details", rest.join("\n\n").trimEnd())}\n`,
  ].join("\n\n");
}

/** Returns the summary for the output `summary`, which workflows put into comments. */
export function shortenedSummary(summary: string): string {
  if (summary.length <= MAX_OUTPUT) return summary;
  const cut = summary.slice(0, MAX_OUTPUT - CUT.length);
  return `${cut.slice(0, cut.lastIndexOf("\n"))}${CUT}`;
}

/** Returns the whole job summary as Markdown. */
export function summaryOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const failed = failure !== undefined;
  const changes = report.plan ? changesTable(report, report.plan, mode, failed) : [];
  const way = trafficPart(report, mode, failed);
  const about = [...endpointTable(report), ...consoleLinks(report)];
  const connection = failed ? [] : [...recordPart(report), ...connectionPrograms(report)];
  const parts = [
    `## ${plain(verdictOf(report, mode, failure))}`,
    ...(failed ? failureParts(failure, report.explanation) : []),
    ...(report.openDoor ? [alert("CAUTION", [plain(report.openDoor)])] : []),
    // After a deployment the endpoint matters most; after a plan or a failure, the changes do.
    ...(mode === "plan" || failed
      ? [...way, ...changes, ...about, ...connection]
      : [...way, ...about, ...connection, ...changes]),
    ...(report.steps.length > 0 ? [fold("Timeline", fence(timeline(report.steps), "mermaid"))] : []),
  ];
  return withinLimit(`${parts.join("\n\n")}\n`);
}

/** Returns the way of the traffic as a diagram, once a run has begun to make or check it. */
function trafficPart(report: RunReport, mode: Settings["mode"], failed: boolean): string[] {
  const isBegun = report.steps.some(({ hop }) => hop !== undefined);
  return mode === "deploy" && isBegun ? [fence(trafficDiagram(report, failed), "mermaid")] : [];
}

/** Returns what is known of the endpoint as a table, whose head is its first row. */
function endpointTable(report: RunReport): string[] {
  const [head, ...rows] = endpointRows(report);
  return head ? [table(head, rows)] : [];
}

function consoleLinks({ projectId, ingress }: RunReport): string[] {
  if (!projectId) return [];
  const [namespace = ""] = ingress?.split("/") ?? [];
  const links = [
    `[load balancers](<${consoleUrl(projectId)}>)`,
    `[workloads](<${workloadsUrl(projectId)}>)`,
    `[logs](<${logsUrl(projectId, namespace)}>)`,
  ];
  return [`In Google's console: ${links.join(", ")}.`];
}

/** Returns the part about the DNS record that the user has to create. */
function recordPart({ address, host, isInDns }: RunReport): string[] {
  if (!address || !host || isInDns !== false) return [];
  return [
    "### Next: the DNS record",
    `${code(host)} doesn't lead to the load balancer yet. Create this record, or set \`dns_zone\`:`,
    fence(dnsRecord(host, address), "text"),
  ];
}

function certificateState({ certificateStatus, certificateExpires }: RunReport): string | undefined {
  return (
    certificateStatus &&
    [certificateStatus, ...(certificateExpires ? [`expires ${certificateExpires}`] : [])].join(", ")
  );
}

function withinLimit(summary: string): string {
  if (Buffer.byteLength(summary) <= MAX_BYTES) return summary;
  const cut = Buffer.from(summary)
    .subarray(0, MAX_BYTES - CUT.length)
    .toString();
  return `${cut.slice(0, cut.lastIndexOf("\n"))}${CUT}`;
}

function endpointRows(report: RunReport): string[][] {
  const rows: [string, string | undefined][] = [
    ["endpoint", report.address && code(endpointOf(report) ?? "")],
    ["server name", report.host && !isByName(report) ? code(report.host) : undefined],
    ["Ingress", report.ingress && code(report.ingress)],
    ["certificate", certificateState(report)],
    ["Milvus", report.milvusVersion && code(report.milvusVersion)],
    ["authentication", report.authentication],
    ["chart", report.chartVersion && code(report.chartVersion)],
    ["release revision", report.releaseRevision?.toString()],
    [
      "backends",
      report.backends &&
        Object.entries(report.backends)
          .map(([name, health]) => `${code(name)} ${plain(health)}`)
          .join("<br>"),
    ],
  ];
  return rows.flatMap(([name, value]) => (value ? [[name, value]] : []));
}
