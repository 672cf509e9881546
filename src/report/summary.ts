import { formatDuration } from "../base/duration.ts";
import type { Settings } from "../inputs/settings.ts";
import { countChanges, describeCounts, hasChanges, NO_CHANGES } from "./change-counts.ts";
import { describeAction, NOT_REHEARSED } from "./plan.ts";
import { dnsRecord, endpointOf, type PlanReport, type RunReport, uriOf } from "./run-report.ts";

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
  return [
    verdict,
    ...(endpoint ? [`Endpoint ${code(endpoint)}, Ingress ${code(report.ingress ?? "")}.`] : []),
    `<details><summary>Details</summary>\n\n${rest.join("\n\n")}\n</details>\n`,
  ].join("\n\n");
}

/** Returns the summary for the output `summary`, which workflows put into comments. */
export function shortened(summary: string): string {
  if (summary.length <= MAX_OUTPUT) return summary;
  const cut = summary.slice(0, MAX_OUTPUT - CUT.length);
  return `${cut.slice(0, cut.lastIndexOf("\n"))}${CUT}`;
}

/** Returns the first line: how the run ended, and how long it took. */
function verdictOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const { steps, plan, changes, milvusVersion, host } = report;
  const time = formatDuration(steps.reduce((sum, { duration }) => sum + duration, 0));
  const last = steps.at(-1)?.name;
  const { create, change, delete: deleted } = plan ? countChanges(plan) : NO_CHANGES;
  const total = Math.max(create + change + deleted, changes > 0 ? 1 : 0);
  const count = `${total} ${total === 1 ? "change" : "changes"}`;
  if (failure !== undefined)
    return last ? `Failed in step: ${last} (${time})` : "Failed before the first step";
  if (mode === "teardown") return plan ? `Torn down (${time}, ${count})` : "Teardown";
  if (plan && mode === "plan") {
    return hasChanges(plan) ? `Plan: ${describeCounts(plan)}` : `Nothing to change (${time})`;
  }
  if (plan && changes === 0) return `Nothing to change (${time})`;
  const endpoint = endpointOf(report);
  if (report.authentication !== undefined && endpoint) {
    return `Milvus ${milvusVersion ?? ""} answers at ${endpoint.replace(/:443$/, "")} (${time}, ${count})`;
  }
  return plan
    ? `Deployed (${time}, ${count})`
    : `Milvus behind a layer-7 load balancer${host ? `: ${host}` : ""}`;
}

/** Returns the whole job summary as Markdown. */
export function summaryOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const parts = [`## ${plain(verdictOf(report, mode, failure))}`];
  if (failure) parts.push(`**The run failed.**\n\n${fence(failure, "text")}`);
  if (report.openDoor) parts.push(`> [!CAUTION]\n> ${plain(report.openDoor)}`);
  const plan = report.plan && planTable(report.plan, mode, failure !== undefined);
  // After a deployment the endpoint matters most; after a plan or a failure, the changes do.
  const planFirst = mode === "plan" || failure !== undefined;
  if (plan && planFirst) parts.push(plan);
  const rows = endpointRows(report);
  if (rows.length > 0) parts.push(table(["", ""], rows));
  if (!failure && report.address && report.host) {
    const program = pymilvus(report.address, report.host, report.caCertificate);
    parts.push(`### Connect with PyMilvus\n\n${fence(program, "python")}`);
  }
  if (plan && !planFirst) parts.push(plan);
  if (report.steps.length > 0) {
    const steps = report.steps.map(({ name, duration }) => [name, formatDuration(duration)]);
    parts.push(
      `<details><summary>How long each step took</summary>\n\n${table(["step", "time"], steps)}\n</details>`,
    );
  }
  return withinLimit(`${parts.join("\n\n")}\n`);
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
    [
      "DNS record to create",
      report.isInDns === false && report.address && report.host
        ? code(dnsRecord(report.host, report.address))
        : undefined,
    ],
    ["server name", report.host && code(report.host)],
    ["Ingress", report.ingress && code(report.ingress)],
    [
      "certificate",
      report.certificateStatus &&
        `${report.certificateStatus}${report.certificateExpires ? `, expires ${report.certificateExpires}` : ""}`,
    ],
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

function planTable(
  { upgrade, later, values, objects, edits, restarts, consequences, lost }: PlanReport,
  mode: Settings["mode"],
  failed: boolean,
): string {
  const show = (value: unknown) =>
    value === undefined ? "" : code(typeof value === "string" ? value : JSON.stringify(value));
  const rows = [
    ...values.map(({ path, before, after }) => [`value ${code(path)}`, show(before), show(after)]),
    ...objects
      .filter(({ action }) => action !== "keep")
      .map((change) => [`${plain(change.kind)} ${code(change.name)}`, "", describeAction(change)]),
    ...edits.map(({ kind, name, path, before = "", after = "" }) => [
      `${plain(kind)} ${code(name)}: ${code(path)}, changed by hand`,
      code(before),
      code(after),
    ]),
    ...restarts.map((workload) => [`pods of ${plain(workload)}`, "", "replaced"]),
  ];
  if (rows.length + upgrade.length + later.length === 0)
    return mode === "plan" ? "Nothing to change." : "Nothing had to be changed.";
  const title =
    mode === "plan" ? "What a run would change" : failed ? "What the run would have changed" : "What changed";
  const parts = [
    `### ${title}`,
    ...(upgrade.length > 0 ? [`Helm upgrade, because ${plain(upgrade.join("; "))}.`] : []),
    ...(later.length > 0
      ? [
          `${upgrade.length > 0 ? "Another" : "A"} Helm upgrade once Milvus answers through the load balancer, because ${plain(later.join("; "))}.`,
        ]
      : []),
    ...(upgrade.length + later.length === 0 ? ["No Helm upgrade."] : []),
    ...(rows.length > 0 ? [table(["what", "before", "after"], rows)] : []),
    ...(objects.some(({ rehearsed }) => rehearsed === false) ? [NOT_REHEARSED] : []),
    ...consequences.map((consequence) => `> ${plain(consequence)}`),
    ...(lost.length > 0
      ? [
          `Values that only earlier revisions have (the input \`values\` can set them again):\n\n${table(
            ["value", "last in revision"],
            lost.map(({ path, revision }) => [code(path), String(revision)]),
          )}`,
        ]
      : []),
  ];
  return parts.join("\n\n");
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

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replace(/[\r\n]+/g, " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}

/** Escapes a text from elsewhere, so that it makes no link, image, HTML or heading. */
function plain(text: string): string {
  return text.replace(/[\r\n]+/g, " ").replace(/[\\`<[]/g, "\\$&");
}

/** The fence is longer than any in the text, so that the text can't close it. */
function fence(text: string, language: string): string {
  let longest = 2;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  const marks = "`".repeat(longest + 1);
  return `${marks}${language}\n${text}\n${marks}`;
}
