import type { Settings } from "../inputs/settings.ts";
import { alert, code, plain, table } from "./markdown.ts";
import { describeAction, NOT_REHEARSED } from "./plan.ts";
import {
  changeKeyOf,
  LATER_UPGRADE,
  type PlanReport,
  PROVEN,
  type RunReport,
  UPGRADE,
} from "./run-report.ts";

/** A row of the table of changes. */
interface Row {
  what: string;
  before: string;
  after: string;
  /** The key of the change's outcome in the report. */
  change: string;
}

/** How far a change has come, in the table's words. */
type State = "done" | "failed" | "taken back" | "not reached";

/**
 * Returns the changes of a run as Markdown; empty when there are none. If the run has begun to carry them
 * out, each has a state.
 *
 * @param plan the report's plan
 * @param failed whether the run failed
 */
export function changesTable(
  { outcomes = {} }: Pick<RunReport, "outcomes">,
  plan: PlanReport,
  mode: Settings["mode"],
  failed: boolean,
): string[] {
  const { upgrade, later, laterOnce, objects, consequences, lost } = plan;
  const rows = rowsOf(plan);
  if (rows.length + upgrade.length + later.length === 0) return [];
  const stateOf = ({ change }: Row): State => outcomes[change] ?? "not reached";
  const isBegun = mode !== "plan" && Object.keys(outcomes).length > 0;
  const cells = rows.map((row) => [row.what, row.before, row.after, ...(isBegun ? [stateOf(row)] : [])]);
  return [
    `### ${titleFor(mode, failed, isBegun)}`,
    upgrades(upgrade, later, laterOnce),
    ...(rows.length > 0 ? [table(["what", "before", "after", ...(isBegun ? ["state"] : [])], cells)] : []),
    ...(objects.some(({ rehearsed }) => rehearsed === false) ? [NOT_REHEARSED] : []),
    ...(consequences.length > 0
      ? [
          alert(
            "IMPORTANT",
            consequences.map((consequence) => `- ${plain(consequence)}`),
          ),
        ]
      : []),
    ...(lost.length > 0
      ? [
          "Values that only earlier revisions have (the input `values` can set them again):",
          table(
            ["value", "last in revision"],
            lost.map(({ path, revision }) => [code(path), String(revision)]),
          ),
        ]
      : []),
  ];
}

/** Says in a line how often the release is upgraded, and why. The table has the values. */
function upgrades(upgrade: readonly string[], later: readonly string[], laterOnce = PROVEN): string {
  const because = (reasons: readonly string[]) => {
    const others = reasons.filter((reason) => !/^value .* changes$/.test(reason));
    return others.length > 0 ? `, because ${plain(others.join("; "))}` : "";
  };
  const after = `once ${laterOnce}${because(later)}.`;
  if (upgrade.length === 0) return later.length > 0 ? `One Helm upgrade, ${after}` : "No Helm upgrade.";
  return [`One Helm upgrade${because(upgrade)}.`, ...(later.length > 0 ? [`Another ${after}`] : [])].join(
    " ",
  );
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
          change: changeKeyOf(object),
        },
        ...(object.fields ?? []).map(({ path, before, after }) => ({
          what: `${plain(object.kind)} ${code(object.name)}: ${code(path)}`,
          before: shown(before),
          after: shown(after),
          change: changeKeyOf(object),
        })),
      ]),
    ...edits.map(({ kind, name, path, before = "", after = "" }) => ({
      what: `${plain(kind)} ${code(name)}: ${code(path)}, changed by hand`,
      before: code(before),
      after: code(after),
      change: UPGRADE,
    })),
    ...(restarts.length > 0
      ? [{ what: `pods of ${plain(restarts.join(", "))}`, before: "", after: "replaced", change: UPGRADE }]
      : []),
  ];
}

function shown(value: unknown): string {
  return value === undefined ? "" : code(typeof value === "string" ? value : JSON.stringify(value));
}
