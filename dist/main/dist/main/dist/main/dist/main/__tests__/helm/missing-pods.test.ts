import * as v from "valibot";
import { expect, onTestFinished, test } from "vitest";
import { type Maker, MissingPods } from "../../src/helm/missing-pods.ts";
import { Event } from "../../src/kubernetes/objects.ts";

const REFUSED = 'admission webhook "imagepolicywebhook.image-policy.k8s.io" denied the request';
const QUOTA = "exceeded quota: compute, requested: pods=1, used: pods=9, limited: pods=9";

const failedCreate = (kind: string, name: string, message: string) =>
  v.parse(Event, {
    metadata: { name: "e" },
    reason: "FailedCreate",
    message,
    involvedObject: { kind, name },
  });
const workload = (replicas: { wanted: number; made?: number }, release = "r") => ({
  metadata: { annotations: { "meta.helm.sh/release-name": release } },
  spec: { replicas: replicas.wanted },
  status: replicas.made === undefined ? {} : { replicas: replicas.made },
});

/** Patience for a refusal is a third of `timeout`. */
function watch(objects: Record<string, unknown>, timeout: number) {
  const looked: string[] = [];
  let end: (title: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const pods = new MissingPods({
    release: "r",
    limit: { timeout, isInstallation: false },
    find: async (kind: Maker, name) => {
      looked.push(`${kind} ${name}`);
      return objects[`${kind} ${name}`];
    },
    giveUp: (title, { description }) => end(`${title}: ${description}`),
  });
  onTestFinished(() => pods.close());
  return { pods, looked, ended };
}

test("a refusal that lasts ends the rollout, with the newest words", async () => {
  const { pods, ended } = watch({ "ReplicaSet proxy-1": workload({ wanted: 1, made: 0 }) }, 90);
  pods.see(failedCreate("ReplicaSet", "proxy-1", "old words"));
  pods.see(failedCreate("ReplicaSet", "proxy-1", REFUSED));
  expect(await ended).toBe(`ReplicaSet proxy-1: ${REFUSED}`);
});

test("a full quota is named, and waited for", async () => {
  const objects = { "StatefulSet etcd": workload({ wanted: 3 }), "ReplicaSet last": workload({ wanted: 1 }) };
  const { pods, ended } = watch(objects, 30);
  pods.see(failedCreate("StatefulSet", "etcd", QUOTA));
  await expect.poll(() => pods.describe()).toEqual([`StatefulSet etcd lacks pods: ${QUOTA}`]);
  // Its patience is over after the quota's would have been.
  pods.see(failedCreate("ReplicaSet", "last", REFUSED));
  expect(await ended).toContain("ReplicaSet last");
  expect(pods.describe()).toContain(`StatefulSet etcd lacks pods: ${QUOTA}`);
});

test("what has its pods by now, is gone, or belongs to another release counts for nothing", async () => {
  const objects = {
    "ReplicaSet has": workload({ wanted: 1, made: 1 }),
    "ReplicaSet other": workload({ wanted: 1 }, "other"),
    "ReplicaSet by-hand": { metadata: {}, spec: {}, status: {} },
    "ReplicaSet last": workload({ wanted: 1 }),
  };
  const { pods, looked, ended } = watch(objects, 30);
  for (const name of ["has", "other", "by-hand", "gone"]) {
    pods.see(failedCreate("ReplicaSet", name, REFUSED));
  }
  pods.see(failedCreate("Job", "job", REFUSED));
  pods.see(failedCreate("ReplicaSet", "last", REFUSED));
  expect(await ended).toContain("ReplicaSet last");
  expect(pods.describe()).toEqual([`ReplicaSet last lacks pods: ${REFUSED}`]);
  expect(new Set(looked)).toEqual(
    new Set([
      "ReplicaSet has",
      "ReplicaSet other",
      "ReplicaSet by-hand",
      "ReplicaSet gone",
      "ReplicaSet last",
    ]),
  );
});

test("pods that come in time end the trouble, and a later refusal begins another", async () => {
  const objects: Record<string, unknown> = { "StatefulSet etcd": workload({ wanted: 1 }) };
  const { pods, ended } = watch(objects, 300);
  pods.see(failedCreate("StatefulSet", "etcd", REFUSED));
  await expect.poll(() => pods.describe()).toHaveLength(1);
  objects["StatefulSet etcd"] = workload({ wanted: 1, made: 1 });
  await expect.poll(() => pods.describe()).toEqual([]);
  objects["StatefulSet etcd"] = workload({ wanted: 1, made: 0 });
  pods.see(failedCreate("StatefulSet", "etcd", "again"));
  expect(await ended).toBe("StatefulSet etcd: again");
});
