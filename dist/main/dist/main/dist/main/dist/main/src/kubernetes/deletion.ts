import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { withProgress } from "../base/progress.ts";
import type { ApiServer, Kind } from "./api.ts";
import { ListedObject } from "./objects.ts";
import { follow } from "./watch.ts";

/** An object, told apart by its UID from a later one of the same name. */
export interface ObjectReference {
  kind: Kind;
  namespace: string;
  name: string;
  uid: string | undefined;
}

/**
 * Deletes an object and waits until it is gone, which finalizers may delay.
 *
 * @param limit how long to wait, in milliseconds
 * @returns false if there was no such object
 * @throws ActionError when the API server refuses it or the object is still there at the limit
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
  const look = (item: unknown) => {
    const { metadata } = v.parse(ListedObject, item);
    if (uid !== undefined && metadata.uid !== uid) gone.abort();
    finalizers = metadata.finalizers;
  };
  const waiting = () =>
    `${kind} ${namespace}/${name} is being deleted (finalizers: ${finalizers.join(", ") || "none"})`;
  const work = () =>
    follow(
      api,
      { kind, namespace, selector: `fieldSelector=metadata.name=${name}` },
      {
        onList: (items) => {
          if (items.length === 0) gone.abort();
          for (const item of items) look(item);
        },
        onChange: (type, item) => {
          if (type === "DELETED") gone.abort();
          else look(item);
        },
      },
      AbortSignal.any([gone.signal, signal, AbortSignal.timeout(limit)]),
      ({ message }) => info(message),
    );
  await withProgress(waiting, work, limit);
  signal.throwIfAborted();
  if (gone.signal.aborted) return true;
  throw new ActionError(`${kind} ${namespace}/${name} is still there after ${formatDuration(limit)}.`, {
    why: `${waiting()}.`,
    fix: "see its events (`kubectl describe`) for what its finalizers wait for. Then run again: the deletion goes on by itself.",
  });
}
