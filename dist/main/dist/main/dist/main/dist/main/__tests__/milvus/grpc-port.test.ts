import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import { grpcPort, refuseEditedPort } from "../../src/milvus/grpc-port.ts";

const PORT = { name: "milvus", port: 19530 };

function service(ports: object[] | undefined): Service {
  return v.parse(Service, {
    metadata: { name: "my-release-milvus", namespace: "default" },
    spec: { ...(ports && { ports }) },
  });
}

describe("grpcPort", () => {
  const metrics = { name: "metrics", port: 9091, targetPort: "metrics" };
  test.each<[string, object[], YamlMap, object]>([
    ["the chart's own Service", [{ ...PORT, targetPort: "milvus" }, metrics], {}, PORT],
    [
      "by target port, whatever it is called",
      [metrics, { name: "grpc", port: 443, targetPort: 19530 }],
      {},
      { name: "grpc", port: 443 },
    ],
    ["by number", [metrics, { name: "x", port: 19530, targetPort: "other" }], {}, { name: "x", port: 19530 }],
    [
      "by the name in the values",
      [metrics, { name: "x", port: 80 }],
      { service: { portName: "x" } },
      { name: "x", port: 80 },
    ],
    ["a single port without a name", [{ port: 19530 }], {}, { name: "", port: 19530 }],
    [
      "as the upgrade will leave it",
      [{ ...PORT, targetPort: "milvus" }],
      { service: { portName: "grpc", port: 8443 } },
      { name: "grpc", port: 8443 },
    ],
    [
      "a port number in quotes",
      [{ ...PORT, targetPort: "milvus" }],
      { service: { port: "19530", portName: "" } },
      PORT,
    ],
  ])("%s", (_, ports, values, expected) => {
    expect(grpcPort(service(ports), values)).toEqual(expected);
  });

  test.each([
    ["other ports", [metrics, { port: 80 }], "its ports are: metrics 9091, (no name) 80."],
    ["no ports", undefined, "its ports are: none."],
  ])("refuses a Service with %s", (_, ports, why) => {
    expect(() => grpcPort(service(ports), {})).toThrow("Service default/my-release-milvus has no gRPC port");
    expect(() => grpcPort(service(ports), {})).toThrow(why);
  });
});

describe("refuseEditedPort", () => {
  const deployed = { service: { port: 19530, portName: "milvus" } };
  const withPort = (port: object) =>
    v.parse(Service, {
      metadata: { name: "s", namespace: "n" },
      spec: { ports: [{ name: "metrics", port: 9091, targetPort: "metrics" }, port] },
    });

  test.each<[string, object, YamlMap]>([
    ["as it was rendered", { name: "milvus", port: 19530, targetPort: "milvus" }, deployed],
    ["one that no value names", { name: "x", port: 1, targetPort: 19530 }, {}],
    ["none to be told by its target", { name: "x", port: 1, targetPort: 80 }, deployed],
  ])("admits %s", (_, port, values) => {
    expect(() => refuseEditedPort(withPort(port), values)).not.toThrow();
  });

  test.each([
    { name: "grpc", port: 19530, targetPort: "milvus" },
    { name: "milvus", port: 443, targetPort: 19530 },
  ])("refuses $name $port", (port) => {
    const refuse = () => refuseEditedPort(withPort(port), deployed);
    expect(refuse).toThrow("The gRPC port of Service n/s was changed outside Helm; nothing was changed.");
    expect(refuse).toThrow(`Why: it is ${port.port} (${port.name}); the release has 19530 (milvus).`);
  });
});
