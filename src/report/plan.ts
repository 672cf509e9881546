import type { LostValue } from "../helm/lost-values.ts";
import type { ObjectName } from "../helm/manifest.ts";
import type { ValueChange } from "../helm/values.ts";
import { userYamlChanges } from "../milvus/user-yaml-changes.ts";
import type { ObjectChange } from "../plan/changes.ts";
import type { Plan } from "../plan/plan.ts";
import { describeChange, describeField } from "../plan/shown-fields.ts";
import type { TeardownPlan } from "../plan/teardown.ts";
import { type PlannedObject, type PlannedValue, type PlanReport, PROVEN } from "./run-report.ts";

/** How many changed fields the log shows. */
const MOST_FIELDS = 40;

/** Returns what a run changes, without values that may be secret. */
export function reportPlan(
  { release: { upgrade, switchOver }, rendered }: Plan,
  objects: readonly ObjectChange[],
  consequences: readonly string[],
  lost: readonly LostValue[],
): PlanReport {
  const ofRelease = (names: readonly ObjectName[] = [], action: ObjectChange["action"]) =>
    names.map(({ kind, name }): PlannedObject => ({ kind, name, action, ofRelease: true }));
  return {
    upgrade: upgrade?.reasons ?? [],
    later: switchOver?.reasons ?? [],
    values: [
      ...(upgrade?.changes ?? []).flatMap(planned),
      ...(switchOver?.changes ?? []).flatMap(planned).map((value) => ({ ...value, later: true as const })),
    ],
    objects: [
      ...ofRelease(rendered?.creates, "create"),
      ...ofRelease(rendered?.deletes, "delete"),
      ...objects,
    ],
    fields: rendered?.fields ?? [],
    edits: rendered?.edits ?? [],
    restarts: (rendered?.restarts ?? []).map(({ kind, name }) => `${kind} ${name}`),
    consequences: [...consequences],
    lost: lost.map(({ path, revision }) => ({ path, revision })),
  };
}

/** Returns what a teardown changes. Values have only their paths, because any of them may be secret. */
export function reportTeardown({ restore, changes, consequences }: TeardownPlan): PlanReport {
  const { upgrade: last, wayBack } = restore ?? {};
  const first = wayBack?.upgrade;
  const isFirst = (text: string) => first?.reasons.includes(text);
  const lastReasons = last?.reasons.filter((reason) => !isFirst(reason)) ?? [];
  const lastPaths = last?.changes.filter(
    ({ path }) => !first?.changes.some((change) => change.path === path),
  );
  return {
    upgrade: first?.reasons ?? (wayBack ? [] : lastReasons),
    later: wayBack ? lastReasons : [],
    ...(wayBack && { laterOnce: "the layer-7 load balancer is gone" }),
    values: [
      ...(first?.changes ?? []).map(({ path }) => ({ path })),
      ...(lastPaths ?? []).map(({ path }) => ({ path, ...(wayBack && { later: true as const }) })),
    ],
    objects: changes,
    fields: [],
    edits: [],
    restarts: [],
    consequences,
    lost: [],
  };
}

/** The values that this action sets, except Milvus's `user.yaml`. */
const OURS = /^service\.(type|annotations\."cloud\.google\.com\/(app-protocols|backend-config|neg)")$/;

const USER_YAML = 'extraConfigFiles."user.yaml"';

/** Returns a value as the plan shows it, Milvus's `user.yaml` by the settings that change in it. */
function planned({ path, before, after }: ValueChange): PlannedValue[] {
  if (OURS.test(path)) return [{ path, before, after }];
  const settings = path === USER_YAML ? userYamlChanges(before, after) : [];
  if (settings.length === 0) return [{ path, before: hidden(before), after: hidden(after) }];
  return settings.map(({ path: setting, before, after, isOurs }) => ({
    path: `${path}.${setting}`,
    before: isOurs ? before : hidden(before),
    after: isOurs ? after : hidden(after),
  }));
}

/** Hides the user's own values, except those that can't hold a secret. */
function hidden(value: unknown): unknown {
  return value === undefined || value === null || typeof value === "boolean" ? value : "***";
}

/** What a plan says when it was made without the rights of a deployment. */
export const NOT_REHEARSED =
  "Not rehearsed: this account may not apply these objects, so they are only compared with what is there. Only a run with the rights of a deployment shows whether the API server accepts them.";

/** Returns what happens to an object, e.g. `create (not rehearsed)`. */
export function describeAction({ action, rehearsed }: ObjectChange): string {
  return rehearsed === false ? `${action} (not rehearsed)` : action;
}

/** Returns the lines of the log that say what a run changes, and what that means for clients. */
export function describePlan(plan: PlanReport): string[] {
  const { upgrade, later, laterOnce = PROVEN, objects, fields, edits, restarts, consequences } = plan;
  return [
    ...(upgrade.length > 0 ? [`Helm changes the release:\n- ${upgrade.join("\n- ")}`] : []),
    ...describeFields("Fields of the release's objects that change:", fields),
    ...describeFields("Helm sets back what was changed by hand:", edits),
    ...(restarts.length > 0 ? [`Helm replaces the pods of ${restarts.join(", ")}.`] : []),
    ...(later.length > 0
      ? [
          `Helm changes the release${upgrade.length > 0 ? " again" : ""} once ${laterOnce}:\n- ${later.join("\n- ")}`,
        ]
      : []),
    ...(upgrade.length + later.length === 0 ? ["The release stays as it is: no Helm upgrade."] : []),
    ...objects.map((change) =>
      [`${change.kind} ${change.name}: ${describeAction(change)}`, ...fieldLines(change.fields ?? [])].join(
        "\n",
      ),
    ),
    ...(objects.some(({ rehearsed }) => rehearsed === false) ? [NOT_REHEARSED] : []),
    ...consequences,
  ];
}

/** Returns the first changed fields as lines of the log. An upgrade to another chart changes thousands. */
function describeFields(title: string, fields: PlanReport["fields"]): string[] {
  if (fields.length === 0) return [];
  return [[title, ...cut(fields.map((field) => `- ${describeField(field)}`))].join("\n")];
}

function fieldLines(fields: NonNullable<ObjectChange["fields"]>): string[] {
  return cut(fields.map((field) => `- ${describeChange(field)}`));
}

function cut(lines: readonly string[]): string[] {
  const more = lines.length - MOST_FIELDS;
  return [
    ...lines.slice(0, MOST_FIELDS),
    ...(more > 0 ? [`- and ${more} more, which the output plan has`] : []),
  ];
}
