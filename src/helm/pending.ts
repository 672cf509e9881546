import * as v from "valibot";
import { info } from "../base/log.ts";
import type { ApiServer, Selector } from "../kubernetes/api.ts";
import { follow } from "../kubernetes/watch.ts";
import type { Revision } from "./history.ts";

/** The objects in which Helm keeps a release's revisions. */
function revisionsOf(name: string): Selector {
  return `labelSelector=owner=helm,name=${name}`;
}

/** What Helm writes on the Secret in which it keeps a revision (helm pkg/storage/driver/secrets.go, newSecretsObject). */
const RevisionSecret = v.looseObject({
  metadata: v.looseObject({
    labels: v.looseObject({ version: v.pipe(v.string(), v.transform(Number)), status: v.string() }),
  }),
});

/**
 * Waits until a pending revision is no longer pending or the newest, or has been so for `age` milliseconds.
 *
 * @throws ActionError when the release's Secrets can't be watched, what `signal` carries when that ended the wait
 */
export async function untilSettled(
  api: ApiServer,
  release: { name: string; namespace: string },
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
    { kind: "Secret", namespace: release.namespace, selector: revisionsOf(release.name) },
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

/**
 * Returns the number of a release's newest revision; undefined when there is none, or Helm keeps them elsewhere
 * (HELM_DRIVER).
 *
 * @throws ActionError when the release's Secrets can't be read
 */
export async function newestRevision(
  api: ApiServer,
  { name, namespace }: { name: string; namespace: string },
): Promise<number | undefined> {
  const { items } = await api.list("Secret", namespace, revisionsOf(name));
  const numbers = items.map((item) => v.parse(RevisionSecret, item).metadata.labels.version);
  return numbers.length > 0 ? Math.max(...numbers) : undefined;
}
