import * as v from "valibot";
import { expect, test } from "vitest";
import { NetworkPolicy } from "../../src/kubernetes/network-policy.ts";
import { Pod, Service } from "../../src/kubernetes/objects.ts";
import { obstaclesOf, type Path, type PathAtGoogle } from "../../src/loadbalancer/traffic-obstacles.ts";

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
const SOUND: Path & PathAtGoogle = {
  service: service(OURS),
  backendConfig: healthCheck({}),
  pods: [pod({ containers: [MILVUS] })],
  policies: [],
  endpoints: undefined,
  network: undefined,
};
const CONTAINERS_READY = { conditions: [{ type: "ContainersReady", status: "True" }] };
const readyPod = (name: string, podIP: string) => ({
  ...pod({ containers: [MILVUS] }, { ...CONTAINERS_READY, podIP }),
  metadata: { ...pod({}).metadata, name },
});
const endpoint = (ipAddress: string, healthState: string, port = 19_530) => ({
  ipAddress,
  port,
  healthState,
});

type Expected = [id: string | undefined, text: RegExp][];

test.each<[what: string, path: Partial<Path & PathAtGoogle>, expected: Expected]>([
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
          CONTAINERS_READY,
        ),
      ],
    },
    [["unhealthy-backends", /^the pods are ready/]],
  ],
  [
    "a Service without the BackendConfig",
    { service: service({ "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}' }) },
    [["backend-config-unused", /doesn't name BackendConfig my-release-milvus$/]],
  ],
  [
    "a BackendConfig for a port",
    {
      service: service({ ...OURS, "cloud.google.com/backend-config": `{"ports":{"milvus":"${NAME}"}}` }),
    },
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
    "another protocol than HTTP/2",
    { service: service({ ...OURS, "cloud.google.com/app-protocols": '{"milvus":"HTTPS"}' }) },
    [["app-protocols-port", /names none of the Service's ports \(milvus\) with HTTP2$/]],
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
  [
    "ready pods that Google's health check fails on",
    {
      pods: [readyPod("a", "10.0.0.1"), readyPod("b", "10.0.0.2")],
      endpoints: [endpoint("10.0.0.1", "UNHEALTHY"), endpoint("10.0.0.3", "UNHEALTHY")],
    },
    [
      ["unhealthy-backends", /^the pods are ready and nothing in the cluster/],
      [undefined, /^Google's health check fails on a \(10\.0\.0\.1:19530\), 10\.0\.0\.3:19530$/],
    ],
  ],
  [
    "many pods, three of them named",
    { endpoints: ["1", "2", "3", "4", "5"].map((ip) => endpoint(ip, "UNHEALTHY")) },
    [[undefined, /fails on 1:19530, 2:19530, 3:19530 and 2 more$/]],
  ],
  [
    "one of two pods: no firewall is in the way",
    {
      pods: [readyPod("a", "10.0.0.1"), readyPod("b", "10.0.0.2")],
      endpoints: [endpoint("10.0.0.1", "UNHEALTHY"), endpoint("10.0.0.2", "HEALTHY")],
    },
    [[undefined, /fails on a \(10\.0\.0\.1:19530\), and passes on b \(10\.0\.0\.2:19530\)$/]],
  ],
  ["no pod at Google", { endpoints: [] }, [["no-endpoints", /network endpoint groups have no pod/]]],
  ["what explains that there is no pod at Google", { pods: [], endpoints: [] }, [["no-pods", /selects/]]],
])("what is in the way to the pods: %s", (_, path, expected) => {
  const found = obstaclesOf({ backendConfig: NAME }, { ...SOUND, ...path });
  expect(found.map(({ symptom }) => symptom?.id)).toEqual(expected.map(([id]) => id));
  for (const [index, [, text]] of expected.entries()) expect(found[index]?.text).toMatch(text);
});

test.each<[what: string, google: PathAtGoogle, command: string]>([
  [
    "in the network's project, which with a Shared VPC is another one",
    { endpoints: [endpoint("10.0.0.1", "UNHEALTHY", 8443)], network: "projects/host/global/networks/n" },
    "--project=host --network=n --source-ranges=130.211.0.0/22,35.191.0.0/16 --allow=tcp:9091,tcp:8443",
  ],
  [
    "with a place for what isn't known",
    { endpoints: undefined, network: undefined },
    "--project=PROJECT --network=NETWORK --source-ranges=130.211.0.0/22,35.191.0.0/16 --allow=tcp:9091,tcp:19530",
  ],
])("the firewall rule is given as a command %s", (_, google, command) => {
  const path = { ...SOUND, pods: [readyPod("a", "10.0.0.1")], ...google };
  expect(obstaclesOf({ backendConfig: NAME }, path)[0]?.remedy).toContain(command);
});
