import type { Settings } from "../inputs/settings.ts";
import { hasChanges } from "./change-counts.ts";
import { changesTable } from "./changes-table.ts";
import { timeline, trafficDiagram } from "./diagrams.ts";
import { code, fence, fold, plain, table } from "./markdown.ts";
import { consoleUrl, dnsRecord, endpointOf, type RunReport, uriOf } from "./run-report.ts";
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
export function shortened(summary: string): string {
  if (summary.length <= MAX_OUTPUT) return summary;
  const cut = summary.slice(0, MAX_OUTPUT - CUT.length);
  return `${cut.slice(0, cut.lastIndexOf("\n"))}${CUT}`;
}

/** Returns the whole job summary as Markdown. */
export function summaryOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const failed = failure !== undefined;
  const changes = report.plan && changesTable(report, report.plan, mode, failed);
  const endpoint = failed ? [] : connectionParts(report);
  const about = [...trafficPart(report, mode, failed), ...endpointTable(report)];
  const parts = [
    `## ${plain(verdictOf(report, mode, failure))}`,
    ...(failed ? [`**The run failed.**\n\n${fence(failure, "text")}`, ...explanationLink(report)] : []),
    ...(report.openDoor ? [`> [!CAUTION]\n> ${plain(report.openDoor)}`] : []),
    // After a deployment the endpoint matters most; after a plan or a failure, the changes do.
    ...(mode === "plan" || failed
      ? [...(changes ? [changes] : []), ...about, ...endpoint]
      : [...about, ...endpoint, ...(changes ? [changes] : [])]),
    ...(report.steps.length > 0 ? [fold("Timeline", fence(timeline(report.steps), "mermaid"))] : []),
  ];
  return withinLimit(`${parts.join("\n\n")}\n`);
}

/** Returns the way of the traffic as a diagram, once a run has begun to make or check it. */
function trafficPart(report: RunReport, mode: Settings["mode"], failed: boolean): string[] {
  const isBegun = report.steps.some(({ hop }) => hop !== undefined);
  return mode === "deploy" && isBegun ? [fence(trafficDiagram(report, failed), "mermaid")] : [];
}

/** Returns the link to the row that explains the error: a code block has no links. */
function explanationLink({ explanation }: RunReport): string[] {
  // A path leads nowhere from the job's page.
  return explanation && /^https?:/.test(explanation) ? [`[Cause and remedy](<${explanation}>)`] : [];
}

function endpointTable(report: RunReport): string[] {
  const rows = endpointRows(report);
  const links = report.projectId
    ? [`[The project's load balancers in Google's console](${consoleUrl(report.projectId)})`]
    : [];
  return [...(rows.length > 0 ? [table(["", ""], rows)] : []), ...(report.address ? links : [])];
}

/** Returns what is left to do for clients to reach Milvus, and a program that does. */
function connectionParts({ address, host, isInDns, caCertificate }: RunReport): string[] {
  if (!address || !host) return [];
  const record = fence(dnsRecord(host, address), "text");
  const next = `### Next: the DNS record\n\n${code(host)} doesn't lead to the load balancer yet. Create this record, or set \`dns_zone\`:\n\n${record}`;
  const program = fence(pymilvus(address, host, caCertificate), "python");
  return [...(isInDns === false ? [next] : []), fold("Connect with PyMilvus", program)];
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
    ["URI", report.address && code(uriOf(report.address))],
    ["server name", report.host && code(report.host)],
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

/** Returns a Python program that works when pasted, as it has the certificate in it. */
function pymilvus(address: string, host: string, caCertificate: string | undefined): string {
  const lines = ["import os", "", "from pymilvus import MilvusClient", ""];
  if (caCertificate) {
    lines.push(
      'with open("milvus-ca.pem", "w") as file:',
      `    file.write("""${caCertificate.trim()}\n""")`,
      "",
    );
  }
  lines.push(
    "client = MilvusClient(",
    `    uri="${uriOf(address)}",`,
    '    token=os.environ.get("MILVUS_TOKEN", ""),',
    "    secure=True,",
    `    server_name="${host}",`,
    ...(caCertificate ? ['    server_pem_path="milvus-ca.pem",'] : []),
    ")",
    "print(client.get_server_version())",
  );
  return lines.join("\n");
}
