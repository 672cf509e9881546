import type { LostValue } from "../helm/lost-values.ts";
import type { ManifestChange, ObjectName } from "../helm/manifest.ts";
import type { ValueChange } from "../helm/values.ts";
import type { ObjectChange } from "../plan/changes.ts";
import type { Plan } from "../plan/plan.ts";
import type { TeardownPlan } from "../plan/teardown.ts";
import type { PlanReport } from "./run-report.ts";

/** Returns what a run changes, without values that may be secret. */
export function reportPlan(
  { release: { upgrade, switchOver } }: Plan,
  preview: ManifestChange | undefined,
  objects: readonly ObjectChange[],
  consequences: readonly string[],
  lost: readonly LostValue[],
): PlanReport {
  const ofRelease = (names: readonly ObjectName[] = [], action: ObjectChange["action"]) =>
    names.map(({ kind, name }) => ({ kind, name, action }));
  return {
    upgrade: upgrade?.reasons ?? [],
    later: switchOver?.reasons ?? [],
    values: [...(upgrade?.changes ?? []), ...(switchOver?.changes ?? [])].map(redacted),
    objects: [...ofRelease(preview?.creates, "create"), ...ofRelease(preview?.deletes, "delete"), ...objects],
    restarts: (preview?.restarts ?? []).map(({ kind, name }) => `${kind} ${name}`),
    consequences: [...consequences],
    lost: lost.map(({ path, revision }) => ({ path, revision })),
  };
}

/** Returns what a teardown changes. Values have only their paths, because any of them may be secret. */
export function reportTeardown({ restore, deletions }: TeardownPlan): PlanReport {
  const { reasons = [], changes = [] } = restore?.upgrade ?? {};
  return {
    upgrade: reasons,
    later: [],
    values: changes.map(({ path }) => ({ path })),
    objects: deletions,
    restarts: [],
    consequences: [],
    lost: [],
  };
}

/** The values that this action sets, except Milvus's `user.yaml`. */
const OURS = /^service\.(type|annotations\."cloud\.google\.com\/(app-protocols|backend-config|neg)")$/;

/** Hides the user's own values, except those that can't hold a secret. */
function redacted({ path, before, after }: ValueChange): PlanReport["values"][number] {
  if (OURS.test(path)) return { path, before, after };
  const hidden = (value: unknown) =>
    value === undefined || value === null || typeof value === "boolean" ? value : "***";
  return { path, before: hidden(before), after: hidden(after) };
}

export function describePlan(plan: PlanReport): string[] {
  const { upgrade, later, objects, restarts, consequences } = plan;
  return [
    ...(upgrade.length > 0 ? [`Helm changes the release:\n- ${upgrade.join("\n- ")}`] : []),
    ...(restarts.length > 0 ? [`Helm replaces the pods of ${restarts.join(", ")}.`] : []),
    ...(later.length > 0
      ? [
          `Helm changes the release${upgrade.length > 0 ? " again" : ""} once Milvus answers through the load balancer:\n- ${later.join("\n- ")}`,
        ]
      : []),
    ...(upgrade.length + later.length === 0 ? ["The release stays as it is: no Helm upgrade."] : []),
    ...objects.map(({ kind, name, action }) => `${kind} ${name}: ${action}`),
    ...consequences,
  ];
}
