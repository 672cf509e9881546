import { expect, test } from "vitest";
import { liveEdits, overwrites } from "../../src/plan/live-edits.ts";
import { liveObject } from "../support/observed.ts";

const NAME = "my-release-milvus-proxy";
const CONTAINER = {
  name: "proxy",
  image: "milvusdb/milvus:v2.6.15",
  resources: { limits: { cpu: 2, memory: "1024Mi" } },
  env: [{ name: "A", value: "1" }],
  ports: [{ containerPort: 19530, protocol: "TCP" }],
  args: ["run", "proxy"],
  // Kubernetes tells mounts apart by their paths: two of one volume have the same name.
  volumeMounts: [
    { name: "config", mountPath: "/a", subPath: "a" },
    { name: "config", mountPath: "/b", subPath: "b" },
  ],
};

function deployment(container: object, replicas = 1, annotations: Record<string, string> = {}) {
  return liveObject({
    kind: "Deployment",
    metadata: { name: NAME, annotations },
    spec: { replicas, template: { spec: { containers: [{ ...CONTAINER, ...container }] } } },
  });
}

function edits(live: ReturnType<typeof deployment>, wanted = deployment({})) {
  return liveEdits([live], [deployment({})], [wanted]).map(({ path, before, after }) => [
    path,
    before,
    after,
  ]);
}

const AT = "spec.template.spec.containers[proxy]";

test.each([
  ["an image", { image: "mine:1" }, [[`${AT}.image`, "mine:1", "milvusdb/milvus:v2.6.15"]]],
  [
    "a limit",
    { resources: { limits: { cpu: "4", memory: "1Gi" } } },
    [[`${AT}.resources.limits.cpu`, "4", 2]],
  ],
  ["an environment variable", { env: [{ name: "A", value: "2" }] }, [[`${AT}.env[A].value`, "2", "1"]]],
  ["a removed variable", { env: [] }, [[`${AT}.env[A]`, undefined, { name: "A", value: "1" }]]],
  ["an argument", { args: ["run", "all"] }, [[`${AT}.args[1]`, "all", "proxy"]]],
])("%s that somebody has changed is listed", (_, container, expected) => {
  expect(edits(deployment(container))).toEqual(expected);
});

test.each([
  ["quantities that mean the same", deployment({ resources: { limits: { cpu: "2000m", memory: "1Gi" } } })],
  [
    "fields that only the cluster has",
    deployment({ terminationMessagePath: "/dev/termination-log", imagePullPolicy: "IfNotPresent" }, 1, {
      "deployment.kubernetes.io/revision": "3",
      "kubectl.kubernetes.io/restartedAt": "now",
    }),
  ],
  [
    "more variables than the manifest has",
    deployment({
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
    }),
  ],
])("%s are no edits", (_, live) => {
  expect(edits(live)).toEqual([]);
});

test("a field that the upgrade changes itself is no edit", () => {
  expect(edits(deployment({ image: "mine:1" }), deployment({ image: "milvusdb/milvus:v2.6.16" }))).toEqual(
    [],
  );
});

test("all that an upgrade overwrites: what it changes itself, and what somebody has changed", () => {
  const wanted = deployment({ image: "milvusdb/milvus:v2.6.16" });
  const live = deployment({ args: ["run", "all"] }, 3);
  expect(overwrites([live], [wanted])).toEqual([
    { kind: "Deployment", name: NAME, path: "spec.replicas", before: 3, after: 1 },
    expect.objectContaining({ path: `${AT}.image`, before: "milvusdb/milvus:v2.6.15" }),
    expect.objectContaining({ path: `${AT}.args[1]`, before: "all" }),
  ]);
});

test("an empty text or a zero overwrites what somebody has set; where it stands for a default it doesn't", () => {
  const object = (fields: object) => liveObject({ kind: "Deployment", metadata: { name: NAME }, ...fields });
  const container = { name: "proxy", imagePullPolicy: "", env: [{ name: "A", value: "" }] };
  const wanted = object({ data: { text: "" }, spec: { delay: 0, nodePort: 0, containers: [container] } });
  const live = object({
    data: { text: "x" },
    spec: {
      delay: 30,
      nodePort: 31234,
      containers: [{ name: "proxy", imagePullPolicy: "Always", env: [{ name: "A", value: "1" }] }],
    },
  });
  expect(overwrites([live], [wanted]).map(({ path }) => path)).toEqual([
    "data.text",
    "spec.delay",
    "spec.containers[proxy].env[A].value",
  ]);
  expect(overwrites([wanted], [wanted])).toEqual([]);
});

test("of a list, the item that somebody has changed beside the upgrade's own is listed", () => {
  expect(edits(deployment({ args: ["run", "proxy", "more"] }), deployment({ args: ["run"] }))).toEqual([
    [`${AT}.args`, ["run", "proxy", "more"], ["run"]],
  ]);
});
