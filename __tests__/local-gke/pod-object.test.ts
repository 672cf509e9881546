import type { V1Pod, V1Service } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import {
  acceptsClients,
  configFiles,
  isEndpoint,
  isReady,
  portBehind,
  selects,
} from "../../local-gke/load-balancer/pod-object.ts";

const mount = (file: string, subPath: string) => ({
  name: "config",
  mountPath: `/milvus/configs/${file}`,
  subPath,
});
const pod: V1Pod = {
  metadata: { labels: { component: "proxy", instance: "a" } },
  spec: {
    containers: [
      {
        name: "proxy",
        ports: [
          { name: "milvus", containerPort: 19530 },
          { name: "metrics", containerPort: 9091 },
        ],
        volumeMounts: [mount("user.yaml", "user.yaml"), mount("default.yaml", "default.yaml")],
      },
    ],
    volumes: [{ name: "config", configMap: { name: "a-milvus" } }],
  },
  status: { conditions: [{ type: "Ready", status: "True" }] },
};
const service: V1Service = {
  spec: {
    selector: { component: "proxy" },
    ports: [{ port: 19530, targetPort: "milvus" }, { port: 80, targetPort: 8080 }, { port: 9091 }],
  },
};

describe("a pod", () => {
  it("accepts clients if it has the port milvus", () => {
    expect(acceptsClients(pod)).toBe(true);
    expect(acceptsClients({ spec: { containers: [{ name: "querynode" }] } })).toBe(false);
  });

  it("is ready by its condition, but not during its deletion", () => {
    expect(isReady(pod)).toBe(true);
    expect(isReady({ ...pod, metadata: { deletionTimestamp: new Date() } })).toBe(false);
    expect(isReady({ ...pod, status: { conditions: [{ type: "Ready", status: "False" }] } })).toBe(false);
    expect(isReady({})).toBe(false);
  });

  it.each([
    ["has an address", { podIP: "10.0.0.1", phase: "Pending" }, true],
    ["has no address", { phase: "Pending" }, false],
    ["was evicted", { podIP: "10.0.0.1", phase: "Failed" }, false],
    ["has completed", { podIP: "10.0.0.1", phase: "Succeeded" }, false],
  ])("that isn't ready is an endpoint by its address: it %s", (_, status, expected) => {
    expect(isEndpoint({ status })).toBe(expected);
    expect(isEndpoint({ status, metadata: { deletionTimestamp: new Date() } })).toBe(false);
  });

  it("reads user.yaml after default.yaml, or the only file of a custom ConfigMap", () => {
    expect(configFiles(pod.spec)).toEqual([
      { configMap: "a-milvus", key: "default.yaml" },
      { configMap: "a-milvus", key: "user.yaml" },
    ]);
    const custom = [{ name: "proxy", volumeMounts: [mount("user.yaml", "milvus.yaml")] }];
    expect(
      configFiles({ containers: custom, volumes: [{ name: "config", configMap: { name: "mine" } }] }),
    ).toEqual([{ configMap: "mine", key: "milvus.yaml" }]);
  });
});

describe("a Service", () => {
  it.each([
    [{ component: "proxy" }, true],
    [{ component: "proxy", instance: "a" }, true],
    [{ component: "proxy", instance: "b" }, false],
    [{}, false],
  ])("with selector %j selects the pod: %s", (selector, expected) => {
    expect(selects({ spec: { selector } }, pod)).toBe(expected);
  });

  it.each([
    [19530, 19530],
    [80, 8080],
    [9091, 9091],
    [1234, undefined],
  ])("maps port %s to the container's port %s", (port, expected) => {
    expect(portBehind(service, port, pod)).toBe(expected);
  });
});
