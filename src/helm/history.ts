import * as v from "valibot";
import { type Program, run } from "../base/process.ts";
import { helmError } from "./error.ts";

/** A revision of a release, as Helm's history has it. */
export interface Revision {
  revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-upgrade`, ... */
  status: string;
  /** When Helm began with it (RFC 3339). */
  updated: string;
  description: string;
}

const History = v.array(
  v.looseObject({
    revision: v.number(),
    status: v.string(),
    updated: v.string(),
    description: v.optional(v.string(), ""),
  }),
);

/**
 * Returns a release's revisions, the oldest first; none when there is no such release.
 *
 * @throws ActionError when Helm can't reach the cluster or may not read the release
 */
export async function readHistory(helm: Program, name: string, namespace: string): Promise<Revision[]> {
  const output = await run(helm, ["history", name, "--namespace", namespace, "-o", "json"]);
  if (output.exitCode === 0) return v.parse(History, JSON.parse(output.stdout));
  if (/release: not found/.test(output.stderr)) return [];
  throw helmError(`Helm could not read the history of release ${name} in namespace ${namespace}.`, output);
}

/**
 * Returns the revision to go back to: the deployed one. Helm ends an upgrade by superseding the old revision and only
 * then calls the new one deployed (helm pkg/action/upgrade.go, releasingUpgrade): when it was killed in between, it is
 * the newest that was once deployed.
 */
export function lastDeployed<T extends Pick<Revision, "status" | "description">>(
  history: readonly T[],
): T | undefined {
  return history.findLast(({ status }) => status === "deployed") ?? history.findLast(wasDeployed);
}

/**
 * Tells whether a revision is or once was the deployed one. A failed revision can be superseded too, its description
 * then still says so.
 */
export function wasDeployed({ status, description }: Pick<Revision, "status" | "description">): boolean {
  return status === "deployed" || (status === "superseded" && !/failed/i.test(description));
}

/** Tells whether a Helm run is at work on a revision, or was killed at it. */
export function isPending({ status }: Pick<Revision, "status">): boolean {
  return status.startsWith("pending-");
}
