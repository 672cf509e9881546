import { changeKeyOf, LATER_UPGRADE, type PlanReport, type RunReport, UPGRADE } from "./run-report.ts";

/** How many objects a plan creates, changes and deletes. */
export interface ChangeCounts {
  create: number;
  change: number;
  delete: number;
}

/** Counts the objects of a plan: the load balancer's, the user's, those at Google and the release's own. */
export function countChanges({ objects, fields, edits }: PlanReport): ChangeCounts {
  const count = (...actions: string[]) => objects.filter(({ action }) => actions.includes(action)).length;
  const ofRelease = new Set([...fields, ...edits].map(({ kind, name }) => `${kind}/${name}`));
  return {
    create: count("create"),
    change: count("change", "take over") + ofRelease.size,
    delete: count("delete"),
  };
}

/** Tells whether a run with this plan changes anything. */
export function hasChanges(plan: PlanReport): boolean {
  const { create, change, delete: deleted } = countChanges(plan);
  return create + change + deleted + plan.upgrade.length + plan.later.length > 0;
}

/** Returns the counts as a sentence's end, e.g. `3 objects to create, 5 values, 2 workloads restart`. */
export function describeCounts(plan: PlanReport): string {
  const { create, change, delete: deleted } = countChanges(plan);
  const counted = (count: number, one: string, more: string) =>
    count === 0 ? [] : [`${count} ${count === 1 ? one : more}`];
  const parts = [
    ...counted(create, "object to create", "objects to create"),
    ...counted(change, "object to change", "objects to change"),
    ...counted(deleted, "object to delete", "objects to delete"),
    ...counted(plan.values.length, "value", "values"),
    ...counted(plan.restarts.length, "workload restarts", "workloads restart"),
  ];
  return parts.join(", ") || "one Helm upgrade";
}

/**
 * Returns what a run has carried out as a sentence's end, e.g. `3 objects created, 7 changed`; empty
 * for nothing that its plan has.
 */
export function describeDone({ plan, outcomes = {} }: Pick<RunReport, "plan" | "outcomes">): string {
  if (!plan) return "";
  const isUpgraded = outcomes[UPGRADE] === "done";
  const {
    create,
    change,
    delete: deleted,
  } = countChanges({
    ...plan,
    objects: plan.objects.filter((object) => outcomes[changeKeyOf(object)] === "done"),
    fields: isUpgraded ? plan.fields : [],
    edits: isUpgraded ? plan.edits : [],
  });
  const counts: [number, string][] = [
    [create, "created"],
    [change, "changed"],
    [deleted, "deleted"],
  ];
  const parts = counts.filter(([count]) => count > 0);
  if (parts.length === 0) return isUpgraded || outcomes[LATER_UPGRADE] === "done" ? "Helm upgrade" : "";
  return parts
    .map(([count, what], index) =>
      index === 0 ? `${count} ${count === 1 ? "object" : "objects"} ${what}` : `${count} ${what}`,
    )
    .join(", ");
}
