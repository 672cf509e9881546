import * as v from "valibot";
import { expect, test } from "vitest";
import { NetworkPolicy } from "../../src/kubernetes/network-policy.ts";
import { Pod } from "../../src/kubernetes/objects.ts";
import { obstaclesOf } from "../../src/loadbalancer/traffic-obstacles.ts";

const MILVUS = { name: "milvus", ports: [{ name: "metrics", containerPort: 9091 }] };
const pod = (spec: object) => v.parse(Pod, { metadata: { name: "p", labels: { app: "milvus" } }, spec });
const policy = (name: string, ports: object[]) =>
  v.parse(NetworkPolicy, { metadata: { name }, spec: { podSelector: {}, ingress: [{ ports }] } });

test.each<[what: string, pods: Pod[], policies: NetworkPolicy[], expected: RegExp[]]>([
  ["nothing", [pod({ containers: [MILVUS] })], [], []],
  [
    "policies, each named once",
    [pod({ containers: [MILVUS] }), pod({ containers: [MILVUS] })],
    [policy("a", [{ port: 1 }]), policy("b", [{ port: 2 }])],
    [/^NetworkPolicy a, b keeps Google's health checks out/],
  ],
  [
    "a policy that names the pods' port",
    [pod({ containers: [MILVUS] })],
    [policy("a", [{ port: "metrics" }])],
    [],
  ],
  [
    "a sidecar",
    [pod({ containers: [MILVUS, { name: "istio-proxy" }] })],
    [],
    [/^the pods have a mesh's sidecar/],
  ],
  [
    "a native sidecar",
    [pod({ containers: [MILVUS], initContainers: [{ name: "istio-proxy" }] })],
    [],
    [/excludeInboundPorts: "9091,19530"/],
  ],
])("what stands in front of the pods: %s", (_, pods, policies, expected) => {
  expect(obstaclesOf(pods, policies)).toEqual(expected.map((text) => expect.stringMatching(text)));
});
