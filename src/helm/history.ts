/** A revision of a release, as Helm records it. */
export interface Revision {
  revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-upgrade`, ... */
  status: string;
  /** When Helm began the revision (RFC 3339). */
  updated: string;
  description: string;
}

/**
 * Returns the revision to roll back to: the deployed one. Helm marks the old revision superseded before it
 * marks the new one deployed (helm pkg/action/upgrade.go, releasingUpgrade). If Helm was killed in between,
 * returns the newest revision that was once deployed.
 */
export function lastDeployed<T extends Pick<Revision, "status" | "description">>(
  history: readonly T[],
): T | undefined {
  return history.findLast(({ status }) => status === "deployed") ?? history.findLast(wasDeployed);
}

/**
 * How the description of a failed revision begins (helm pkg/action, failRelease).
 * Other words may be the user's.
 */
const FAILED = /^(?:Install|Upgrade|Release|Rollback)(?: ".*")? failed/;

/**
 * Tells whether a revision is or was the deployed one. A failed revision can be superseded too: its
 * description says that it failed.
 */
export function wasDeployed({ status, description }: Pick<Revision, "status" | "description">): boolean {
  return status === "deployed" || (status === "superseded" && !FAILED.test(description));
}

/** Tells whether a Helm run works on a revision, or was killed while it did. */
export function isPending({ status }: Pick<Revision, "status">): boolean {
  return status.startsWith("pending-");
}
