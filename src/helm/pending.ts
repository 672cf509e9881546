import * as v from "valibot";
import { info } from "../base/log.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { follow } from "../kubernetes/watch.ts";
import type { Revision } from "./history.ts";
import { type ReleaseName, RevisionLabels, revisionsOf } from "./stored-release.ts";

const RevisionSecret = v.looseObject({ metadata: v.looseObject({ labels: RevisionLabels }) });

/**
 * Waits until a revision is no longer pending, is no longer the newest, or has been
 * pending for `age` milliseconds.
 *
 * @throws ActionError when the release's Secrets can't be watched, what `signal`
 *   carries when that ended the wait
 */
export async function untilSettled(
  api: ApiServer,
  release: ReleaseName,
  pending: Revision,
  age: number,
  signal: AbortSignal,
): Promise<void> {
  const left = Math.max(0, Date.parse(pending.updated) + age - Date.now());
  const over = new AbortController();
  const see = (item: unknown, isDeleted: boolean) => {
    const { version, status } = v.parse(RevisionSecret, item).metadata.labels;
    const changed = version === pending.revision && (isDeleted || status !== pending.status);
    if (changed || version > pending.revision) over.abort();
  };
  await follow(
    api,
    { kind: "Secret", namespace: release.namespace, selector: revisionsOf(release) },
    {
      onList: (items) => {
        for (const item of items) see(item, false);
      },
      onChange: (type, item) => see(item, type === "DELETED"),
    },
    AbortSignal.any([over.signal, AbortSignal.timeout(left), signal]),
    ({ message }) => info(message),
  );
  signal.throwIfAborted();
}
