import * as v from "valibot";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WatchedPods } from "../../src/helm/watched-pods.ts";
import { Event, Pod } from "../../src/kubernetes/objects.ts";

const READY = { conditions: [{ type: "Ready", status: "True" }] };
const UNPULLABLE = {
  containerStatuses: [
    { name: "c", ready: false, restartCount: 0, state: { waiting: { reason: "ImagePullBackOff" } } },
  ],
};
const UNSCHEDULABLE = {
  conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" }],
};
/** The patience for an image that can't be pulled: a third of the timeout. */
const PATIENCE = 1000;

const pod = (name: string, status: object) => v.parse(Pod, { metadata: { name }, status });

let failed: string[];
let pods: WatchedPods;
beforeEach(() => {
  vi.useFakeTimers();
  failed = [];
  pods = new WatchedPods({
    limit: { timeout: 3 * PATIENCE, isInstallation: false },
    giveUp: (name, { reason }, patience) => failed.push(`${name}: ${reason} for ${patience} ms`),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a problem that lasts is given up once its patience is over, whatever else changes in the pod", () => {
  pods.see(pod("a", UNPULLABLE));
  vi.advanceTimersByTime(PATIENCE / 2);
  pods.see(pod("a", { ...UNPULLABLE, phase: "Pending" }));
  vi.advanceTimersByTime(PATIENCE / 2 - 1);
  expect(failed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(failed).toEqual([`a: ImagePullBackOff for ${PATIENCE} ms`]);
});

test.each<[string, () => void]>([
  ["gets ready", () => pods.see(pod("a", READY))],
  ["is deleted", () => pods.forget("a")],
  ["is missing in a new list", () => pods.seeAll([pod("b", READY)])],
  ["is no longer watched", () => pods.close()],
])("a pod that %s in time is not given up", (_, change) => {
  pods.see(pod("a", UNPULLABLE));
  vi.advanceTimersByTime(PATIENCE - 1);
  change();
  vi.advanceTimersByTime(PATIENCE);
  expect(failed).toEqual([]);
});

test("a new list goes on counting", () => {
  pods.seeAll([pod("a", UNPULLABLE), pod("b", READY)]);
  vi.advanceTimersByTime(PATIENCE - 1);
  pods.seeAll([pod("a", UNPULLABLE)]);
  expect(pods.all().map(({ metadata }) => metadata.name)).toEqual(["a"]);
  vi.advanceTimersByTime(1);
  expect(failed).toHaveLength(1);
});

test("a node that is on its way is waited for, and named", () => {
  const event = v.parse(Event, {
    metadata: { name: "e" },
    reason: "TriggeredScaleUp",
    message: "pod triggered scale-up",
    involvedObject: { kind: "Pod", name: "a" },
  });
  pods.see(pod("a", UNSCHEDULABLE));
  expect(pods.describe()).toBe("0 of 1 pods are ready; a: Unschedulable (0/3 nodes)");
  pods.seeEvent(event);
  expect(pods.describe()).toContain("scale-up");
  vi.advanceTimersByTime(PATIENCE * 10);
  expect(failed).toEqual([]);
});
