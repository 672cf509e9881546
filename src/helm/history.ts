/** A revision of a release, as Helm records it. */
export interface Revision {
  revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-upgrade`, ... */
  status: string;
  /** When Helm began with it (RFC 3339). */
  updated: string;
  description: string;
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
