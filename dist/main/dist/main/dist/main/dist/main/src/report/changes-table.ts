import type { Settings } from "../inputs/settings.ts";
import { code, plain, table } from "./markdown.ts";
import { describeAction, NOT_REHEARSED } from "./plan.ts";
import {
  LATER_UPGRADE,
  objectChangeKey,
  type PlannedObject,
  type PlanReport,
  type RunReport,
  UPGRADE,
} from "./run-report.ts";

/** A row of the table of changes. */
interface Row {
  what: string;
  before: string;
  after: string;
  /** By what the report knows the outcome of the change. */
  change: string;
}

/** How far a change has come, in the table's words. */
type State = "done" | "failed" | "taken back" | "not reached";

/**
 * Returns the changes of a run as Markdown. Those of a run that was to carry them out have a state each.
 *
 * @param plan the report's plan
 * @param failed whether the run failed
 */
export function changesTable(
  { outcomes = {} }: Pick<RunReport, "outcomes">,
  plan: PlanReport,
  mode: Settings["mode"],
  failed: boolean,
): string {
  const { upgrade, later, objects, consequences, lost } = plan;
  const rows = rowsOf(plan);
  if (rows.length + upgrade.length + later.length === 0)
    return mode === "plan" ? "Nothing to change." : "Nothing had to be changed.";
  const stateOf = ({ change }: Row): State => outcomes[change] ?? "not reached";
  const isBegun = mode !== "plan" && Object.keys(outcomes).length > 0;
  const cells = rows.map((row) => [row.what, row.before, row.after, ...(isBegun ? [stateOf(row)] : [])]);
  const parts = [
    `### ${titleFor(mode, failed, isBegun)}`,
    ...(upgrade.length > 0 ? [`Helm upgrade, because ${plain(upgrade.join("; "))}.`] : []),
    ...(later.length > 0
      ? [
          `${upgrade.length > 0 ? "Another" : "A"} Helm upgrade once Milvus answers through the load balancer, because ${plain(later.join("; "))}.`,
        ]
      : []),
    ...(upgrade.length + later.length === 0 ? ["No Helm upgrade."] : []),
    ...(rows.length > 0 ? [table(["what", "before", "after", ...(isBegun ? ["state"] : [])], cells)] : []),
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

function titleFor(mode: Settings["mode"], failed: boolean, isBegun: boolean): string {
  if (mode === "plan") return "What a run would change";
  if (failed) return isBegun ? "What the run was to change" : "What the run would have changed";
  return "What changed";
}

function rowsOf({ values, objects, edits, restarts }: PlanReport): Row[] {
  return [
    ...values.map(({ path, before, after, later }) => ({
      what: `value ${code(path)}`,
      before: shown(before),
      after: shown(after),
      change: later ? LATER_UPGRADE : UPGRADE,
    })),
    ...objects
      .filter(({ action }) => action !== "keep")
      .flatMap((object) => [
        {
          what: `${plain(object.kind)} ${code(object.name)}`,
          before: "",
          after: describeAction(object),
          change: changeOf(object),
        },
        ...(object.fields ?? []).map(({ path, before, after }) => ({
          what: `${plain(object.kind)} ${code(object.name)}: ${code(path)}`,
          before: shown(before),
          after: shown(after),
          change: changeOf(object),
        })),
      ]),
    ...edits.map(({ kind, name, path, before = "", after = "" }) => ({
      what: `${plain(kind)} ${code(name)}: ${code(path)}, changed by hand`,
      before: code(before),
      after: code(after),
      change: UPGRADE,
    })),
    ...restarts.map((workload) => ({
      what: `pods of ${plain(workload)}`,
      before: "",
      after: "replaced",
      change: UPGRADE,
    })),
  ];
}

function changeOf(object: PlannedObject): string {
  return object.ofRelease ? UPGRADE : objectChangeKey(object);
}

function shown(value: unknown): string {
  return value === undefined ? "" : code(typeof value === "string" ? value : JSON.stringify(value));
}
