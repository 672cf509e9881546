import * as v from "valibot";
import { expect, test } from "vitest";
import { NetworkPolicy } from "../../src/kubernetes/network-policy.ts";
import { Pod, Service } from "../../src/kubernetes/objects.ts";
import { obstaclesOf, type Path } from "../../src/loadbalancer/traffic-obstacles.ts";

const NAME = "my-release-milvus";
const MILVUS = { name: "milvus", ports: [{ name: "metrics", containerPort: 9091 }] };
const READY = { conditions: [{ type: "Ready", status: "True" }] };
const pod = (spec: object, status: object = READY) =>
  v.parse(Pod, { metadata: { name: "p", labels: { app: "milvus" } }, spec, status });
const policy = (name: string, ports: object[]) =>
  v.parse(NetworkPolicy, { metadata: { name }, spec: { podSelector: {}, ingress: [{ ports }] } });
const service = (annotations: Record<string, string>) =>
  v.parse(Service, {
    metadata: { name: NAME, annotations },
    spec: { selector: { app: "milvus" }, ports: [{ name: "milvus", port: 19530 }] },
  });
const OURS = {
  "cloud.google.com/backend-config": `{"default":"${NAME}"}`,
  "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
};
const healthCheck = (given: object) => ({
  spec: { healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz", ...given } },
});
const SOUND: Path = {
  service: service(OURS),
  backendConfig: healthCheck({}),
  pods: [pod({ containers: [MILVUS] })],
  policies: [],
};

test.each<[what: string, path: Partial<Path>, expected: [id: string, text: RegExp][]]>([
  ["nothing", {}, []],
  ["no pods", { pods: [] }, [["no-pods", /Service my-release-milvus selects/]]],
  [
    "pods that aren't ready, three of them named",
    { pods: ["a", "b", "c", "d"].map(() => pod({ containers: [MILVUS] }, { phase: "Running" })) },
    [["pods-not-ready", /^pods aren't ready: (p: Running, not ready; ){3}and 1 more$/]],
  ],
  [
    "not a pod that only waits for the load balancer itself",
    {
      pods: [
        pod(
          { containers: [MILVUS], readinessGates: [{ conditionType: "cloud.google.com/x" }] },
          { conditions: [{ type: "ContainersReady", status: "True" }] },
        ),
      ],
    },
    [],
  ],
  [
    "a Service without the BackendConfig",
    { service: service({}) },
    [["backend-config-unused", /doesn't name BackendConfig my-release-milvus$/]],
  ],
  [
    "a BackendConfig for a port",
    { service: service({ "cloud.google.com/backend-config": `{"ports":{"milvus":"${NAME}"}}` }) },
    [],
  ],
  [
    "another path",
    { backendConfig: healthCheck({ requestPath: "/" }) },
    [["health-check", /asks for HTTP \/ on port 9091/]],
  ],
  [
    "another protocol and port",
    { backendConfig: healthCheck({ type: "HTTP2", port: undefined }) },
    [["health-check", /asks for HTTP2 \/healthz on port \(the serving port\)/]],
  ],
  ["no BackendConfig", { backendConfig: undefined }, [["health-check", /isn't there/]]],
  [
    "a port's number where its name belongs",
    { service: service({ ...OURS, "cloud.google.com/app-protocols": '{"19530":"HTTP2"}' }) },
    [["app-protocols-port", /names 19530, and the Service's ports are named milvus$/]],
  ],
  [
    "policies, each named once",
    {
      pods: [pod({ containers: [MILVUS] }), pod({ containers: [MILVUS] })],
      policies: [policy("a", [{ port: 1 }]), policy("b", [{ port: 2 }])],
    },
    [["network-policy", /^NetworkPolicy a, b keeps Google's health checks out/]],
  ],
  ["a policy that names the pods' port", { policies: [policy("a", [{ port: "metrics" }])] }, []],
  [
    "a sidecar",
    { pods: [pod({ containers: [MILVUS, { name: "istio-proxy" }] })] },
    [["mesh-sidecar", /^the pods have a mesh's sidecar/]],
  ],
  [
    "a native sidecar",
    { pods: [pod({ containers: [MILVUS], initContainers: [{ name: "istio-proxy" }] })] },
    [["mesh-sidecar", /^the pods have a mesh's sidecar/]],
  ],
])("what stands in front of the pods: %s", (_, path, expected) => {
  const found = obstaclesOf({ backendConfig: NAME }, { ...SOUND, ...path });
  expect(found.map(({ symptom }) => symptom?.id)).toEqual(expected.map(([id]) => id));
  for (const [index, [, text]] of expected.entries()) expect(found[index]?.text).toMatch(text);
});
