import { messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { type NewPods, replacementOf } from "../helm/replaced-pods.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import type { KubernetesObject, Pod } from "../kubernetes/objects.ts";
import { objectChangeKey, type RunReport, recordOutcome } from "../report/run-report.ts";

/** Work that goes on beside a Helm upgrade. */
export interface BesideRollout {
  /** Called with the release's pods whenever one of them changes. */
  onPods(pods: readonly Pod[]): void;
  /** Waits until nothing is under way any more, and returns whether the work is done. */
  settled(): Promise<boolean>;
  /**
   * Undoes the work before the release is rolled back. Returns a sentence about that; undefined if there was
   * nothing to undo.
   */
  takeBack(): Promise<string | undefined>;
}

/**
 * Makes the load balancer as soon as the new pods behind Milvus's Service exist and none has to wait for it.
 * Google needs minutes for it, and so do the pods to get ready.
 *
 * @param newPods those behind the Service
 * @param made the objects that `make` has created so far
 */
export function loadBalancerBesideRollout(
  newPods: NewPods,
  { report, api }: { report: RunReport; api: ApiServer },
  made: ReadonlyMap<unknown, KubernetesObject>,
  make: () => Promise<void>,
): BesideRollout {
  const isReplaced = replacementOf(newPods);
  let making: Promise<boolean> | undefined;
  return {
    onPods: (pods) => {
      if (!isReplaced(pods) || making) return;
      info(
        "The new pods behind Milvus's Service exist. The load balancer is made beside the rest of the rollout.",
      );
      // What fails here is tried again after the rollout, and is an error then.
      making = make().then(
        () => true,
        (error: unknown) => {
          info(`The load balancer can't be made yet. ${messageOf(error)}`);
          return false;
        },
      );
    },
    settled: async () => (await making) ?? false,
    takeBack: async () => {
      await making;
      // The Ingress came last. It goes first, because it names the others.
      const objects = [...made.values()].reverse();
      for (const object of objects) {
        await api.remove(object);
        const { kind, metadata } = object;
        recordOutcome(report, objectChangeKey({ kind, name: metadata.name }), "taken back");
      }
      const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      return names.length > 0
        ? `What this run had made of the load balancer is deleted again: ${names.join(", ")}.`
        : undefined;
    },
  };
}
