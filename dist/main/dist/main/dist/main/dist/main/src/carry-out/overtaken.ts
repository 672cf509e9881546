import { isDeepStrictEqual } from "node:util";
import { allOf } from "../base/async.ts";
import { OvertakenError } from "../base/errors.ts";
import { parseManifest } from "../helm/manifest.ts";
import type { Release } from "../helm/release.ts";
import { listRevisions } from "../helm/stored-release.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { CONFIGURATION, observeReleaseObjects, WORKLOADS } from "../observe/release-objects.ts";
import { type LiveEdit, overwrites } from "../plan/live-edits.ts";
import type { RenderedPlan } from "../plan/rendered.ts";

/** What a plan knows of the live fields that its upgrade overwrites. */
export type PlannedOverwrites = Pick<RenderedPlan, "manifest" | "overwrites">;

/**
 * Refuses an upgrade whose plan is outdated: it would undo in silence what others have changed since.
 *
 * @param rendered undefined: the live objects don't count
 * @throws OvertakenError when the release was upgraded, scaled or edited since this run looked
 */
export async function refuseOvertaken(
  api: ApiServer,
  release: Release,
  rendered: PlannedOverwrites | undefined,
): Promise<void> {
  await allOf([
    refuseNewRevision(api, release),
    rendered && release.base ? refuseEdits(api, release, rendered) : undefined,
  ]);
}

async function refuseNewRevision(api: ApiServer, release: Release): Promise<void> {
  const { name, namespace, revision } = release;
  const newest = (await listRevisions(api, release)).at(-1)?.revision;
  if (newest === undefined || newest <= revision) return;
  throw new OvertakenError(
    `Release ${name} in namespace ${namespace} was changed by another run meanwhile.`,
    {
      why: `this run planned from revision ${revision}; the newest revision is ${newest}.`,
      fix: "run again.",
    },
  );
}

async function refuseEdits(
  api: ApiServer,
  { name, namespace }: Release,
  { manifest, overwrites: planned }: PlannedOverwrites,
): Promise<void> {
  const live = await observeReleaseObjects(api, name, namespace, [...WORKLOADS, ...CONFIGURATION]);
  const now = overwrites(live, [...parseManifest(manifest).values()]);
  const isIn = (all: readonly LiveEdit[]) => (edit: LiveEdit) =>
    all.some((other) => isDeepStrictEqual(edit, other));
  const edits = [
    ...now.filter((edit) => !isIn(planned)(edit)),
    ...planned.filter((edit) => !isIn(now)(edit)),
  ];
  if (edits.length === 0) return;
  // The values may be secrets.
  const fields = new Set(edits.map(({ kind, name: object, path }) => `${kind} ${object}: ${path}`));
  throw new OvertakenError(
    `Objects of release ${name} in namespace ${namespace} were changed by somebody else meanwhile.`,
    { why: [...fields].join("\n"), fix: "run again." },
  );
}
