import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { withProgress } from "../base/progress.ts";
import type { ApiServer, Kind } from "./api.ts";
import { ListedObject } from "./objects.ts";
import { follow } from "./watch.ts";

/** One very object, not a later one of its name. */
export interface ObjectReference {
  kind: Kind;
  namespace: string;
  name: string;
  uid: string | undefined;
}

/**
 * Deletes an object and waits until it is gone, which its finalizers may hold up; one that isn't there is fine.
 *
 * @param limit milliseconds
 * @returns whether there was one
 * @throws ActionError when it may not be deleted or is still there at the limit
 */
export async function deleteAndAwait(
  api: ApiServer,
  { kind, namespace, name, uid }: ObjectReference,
  limit: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await api.delete(kind, namespace, name, { uid }))) return false;
  const gone = new AbortController();
  let finalizers: readonly string[] = [];
  const see = (item: unknown) => {
    const { metadata } = v.parse(ListedObject, item);
    if (uid !== undefined && metadata.uid !== uid) gone.abort();
    finalizers = metadata.finalizers;
  };
  const waiting = () =>
    `${kind} ${namespace}/${name} is being deleted (finalizers: ${finalizers.join(", ") || "none"})`;
  await withProgress(waiting, () =>
    follow(
      api,
      { kind, namespace, selector: `fieldSelector=metadata.name=${name}` },
      {
        onList: (items) => {
          if (items.length === 0) gone.abort();
          for (const item of items) see(item);
        },
        onChange: (type, item) => {
          if (type === "DELETED") gone.abort();
          else see(item);
        },
      },
      AbortSignal.any([gone.signal, signal, AbortSignal.timeout(limit)]),
      ({ message }) => info(message),
    ),
  );
  signal.throwIfAborted();
  if (gone.signal.aborted) return true;
  throw new ActionError(`${kind} ${namespace}/${name} is still there after ${formatDuration(limit)}.`, {
    why: `${waiting()}.`,
    fix: "see its events (`kubectl describe`) for what holds its finalizers up, and run again: deletion goes on by itself.",
  });
}
