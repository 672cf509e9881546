import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { mergeValues, valueAt } from "../../src/helm/values.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import {
  grpcPort,
  loadBalancerValues,
  refuseContradictions,
  refuseEditedPort,
  refuseOldProtocols,
} from "../../src/milvus/values.ts";

function service(ports: object[] | undefined): Service {
  return v.parse(Service, {
    metadata: { name: "my-release-milvus", namespace: "default" },
    spec: { ...(ports && { ports }) },
  });
}

const PORT = { name: "milvus", port: 19530 };

/** Values that give a component's containers environment variables. */
function env(component: string, variables: Record<string, string>): YamlMap {
  return { [component]: { extraEnv: Object.entries(variables).map(([name, value]) => ({ name, value })) } };
}

const RELEASE = { name: "r", chart: "milvus" };
describe("refuseOldProtocols", () => {
  const OLD = "service.alpha.kubernetes.io/app-protocols";
  const annotated = (text: unknown): YamlMap => ({ service: { annotations: { [OLD]: text } } });
  const live = (text: string) =>
    v.parse(Service, {
      metadata: { name: "my-release-milvus", namespace: "default", annotations: { [OLD]: text } },
      spec: {},
    });
  const HTTPS = '{"milvus":"HTTPS"}';

  test.each<[string, Service, YamlMap, YamlMap]>([
    ["no such annotation", service([]), {}, {}],
    ["one that says HTTP2 too", live('{"milvus":"HTTP2"}'), {}, {}],
    ["one of the values' that says HTTP2 too", service([]), {}, annotated('{"milvus":"HTTP2"}')],
    ["one that this upgrade removes", live(HTTPS), annotated(HTTPS), { service: { annotations: {} } }],
  ])("admits %s", (_, of, before, values) => {
    expect(() => refuseOldProtocols(of, before, values, PORT)).not.toThrow();
  });

  test.each<[string, Service, YamlMap, YamlMap, string]>([
    [
      "the values'",
      live(HTTPS),
      annotated(HTTPS),
      annotated(HTTPS),
      `set service.annotations."${OLD}" to null`,
    ],
    ["one that is given", service([]), {}, annotated(HTTPS), `set service.annotations."${OLD}" to null`],
    [
      "one of other ports only",
      live('{"metrics":"HTTP"}'),
      {},
      {},
      "kubectl annotate service my-release-milvus",
    ],
    ["a malformed one", live("HTTP2"), {}, {}, `-n default ${OLD}-`],
  ])("refuses %s", (_, of, before, values, fix) => {
    expect(() => refuseOldProtocols(of, before, values, PORT)).toThrow(fix);
    expect(() => refuseOldProtocols(of, before, values, PORT)).toThrow(
      "in place of cloud.google.com/app-protocols",
    );
  });
});

describe("refuseContradictions", () => {
  test.each<[string, YamlMap, YamlMap]>([
    ["nothing set", {}, {}],
    ["what the chart has by default", { customConfigMap: "", ingress: { enabled: false } }, {}],
    ["a null where a text could be", { customConfigMap: null, extraConfigFiles: { "user.yaml": null } }, {}],
    ["a LoadBalancer that is there", { service: { type: "LoadBalancer" } }, {}],
    ["ClusterIP on request", {}, { service: { type: "ClusterIP" } }],
    ["the chart's type on request", {}, { service: { type: null } }],
    ["user.yaml as text", { extraConfigFiles: { "user.yaml": "a: 1" } }, {}],
    ["TLS by an environment variable too", env("standalone", { COMMON_SECURITY_TLSMODE: "1" }), {}],
    [
      "an environment variable of what isn't used",
      { ...env("standalone", { COMMON_SECURITY_TLSMODE: "0" }), cluster: { enabled: true } },
      {},
    ],
    [
      "environment variables of other kinds",
      { standalone: { extraEnv: ["x", { name: "A", valueFrom: {} }, { value: "0" }] } },
      {},
    ],
  ])("admits %s", (_, values, requested) => {
    expect(() => refuseContradictions({ service: {}, ...values }, requested, RELEASE)).not.toThrow();
  });

  test.each<[string, YamlMap, YamlMap, string[]]>([
    [
      "customConfigMap",
      { customConfigMap: "mine" },
      {},
      ["Release r has customConfigMap: mine", "ConfigMap mine"],
    ],
    ["the chart's Ingress", { ingress: { enabled: true } }, {}, ["Release r has ingress.enabled: true"]],
    ["the chart's Ingress, as text", { ingress: { enabled: "false" } }, {}, ['has ingress.enabled: "false"']],
    [
      "a NodePort on request",
      {},
      { service: { type: "NodePort" } },
      ["sets service.type: NodePort", "remove service.type"],
    ],
    ["a type that is no type", {}, { service: { type: false } }, ["sets service.type: false"]],
    [
      "user.yaml as a map",
      { extraConfigFiles: { "user.yaml": { common: { security: { authorizationEnabled: true } } } } },
      {},
      ['extraConfigFiles."user.yaml" of release r is not text', "`user.yaml: |`"],
    ],
    [
      "a chart in which Milvus is but a part",
      { service: undefined, milvus: { service: {} } },
      {},
      ["Release r is not of Milvus's own chart", "its chart milvus has no values `service`"],
    ],
    [
      "plaintext by an environment variable",
      env("standalone", { COMMON_SECURITY_TLSMODE: "0" }),
      {},
      ["Release r sets COMMON_SECURITY_TLSMODE in standalone.extraEnv", "remove it from standalone.extraEnv"],
    ],
    [
      "mutual TLS by an environment variable of a cluster's proxy",
      { ...env("proxy", { "MILVUS_CONF_common.security.tlsMode": "2" }), cluster: { enabled: true } },
      {},
      ["sets MILVUS_CONF_common.security.tlsMode in proxy.extraEnv"],
    ],
    [
      "an environment variable that has REST and gRPC share a port",
      env("standalone", { PROXY_HTTP_PORT: "19530" }),
      {},
      ["sets PROXY_HTTP_PORT in standalone.extraEnv"],
    ],
    ["user.yaml as a list", { extraConfigFiles: { "user.yaml": [] } }, {}, ["is not text"]],
  ])("refuses %s", (_, values, requested, parts) => {
    for (const part of [...parts, "nothing was changed.\nWhy: ", "\nWhat to do: "])
      expect(() => refuseContradictions({ service: {}, ...values }, requested, RELEASE)).toThrow(part);
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

describe("loadBalancerValues", () => {
  function annotations(present: YamlMap): unknown {
    const overlay = loadBalancerValues({ service: { annotations: present } }, PORT, "bc");
    return valueAt(overlay, "service", "annotations");
  }

  test("the three annotations, ClusterIP and TLS, and nothing else", () => {
    expect(
      loadBalancerValues({ image: { tag: "x" }, service: { type: "LoadBalancer", nodePort: 1 } }, PORT, "bc"),
    ).toEqual({
      service: {
        type: "ClusterIP",
        annotations: {
          "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
          "cloud.google.com/backend-config": '{"default":"bc"}',
          "cloud.google.com/neg": '{"ingress":true}',
        },
      },
      extraConfigFiles: {
        "user.yaml": "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n",
      },
    });
  });

  const OURS = {
    "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
    "cloud.google.com/backend-config": '{"default":"bc"}',
    "cloud.google.com/neg": '{"ingress":true}',
  };
  test.each<[string, YamlMap, object]>([
    ["other annotations are none of ours", { "a/b": "c", "cloud.google.com/neg-status": "{}" }, {}],
    [
      "other ports' protocols stay",
      { "cloud.google.com/app-protocols": '{"metrics":"HTTP"}' },
      { "cloud.google.com/app-protocols": '{"metrics":"HTTP","milvus":"HTTP2"}' },
    ],
    [
      "our port's protocol is ours",
      { "cloud.google.com/app-protocols": '{"milvus":"HTTP","metrics":"HTTP"}' },
      { "cloud.google.com/app-protocols": '{"milvus":"HTTP2","metrics":"HTTP"}' },
    ],
    [
      "groups exposed beside it stay",
      { "cloud.google.com/neg": '{"exposed_ports":{"9091":{}},"ingress":false}' },
      { "cloud.google.com/neg": '{"exposed_ports":{"9091":{}},"ingress":true}' },
    ],
    [
      "other ports' BackendConfigs stay",
      { "cloud.google.com/backend-config": '{"ports":{"metrics":"m"}}' },
      { "cloud.google.com/backend-config": '{"ports":{"metrics":"m"},"default":"bc"}' },
    ],
    [
      "an entry for our port by name would win",
      { "cloud.google.com/backend-config": '{"ports":{"milvus":"old","metrics":"m"}}' },
      { "cloud.google.com/backend-config": '{"ports":{"milvus":"bc","metrics":"m"},"default":"bc"}' },
    ],
    [
      "an entry for our port by number would win",
      { "cloud.google.com/backend-config": '{"default":"x","ports":{"19530":"old"}}' },
      { "cloud.google.com/backend-config": '{"default":"bc","ports":{"19530":"bc"}}' },
    ],
    ["blanks don't matter", { "cloud.google.com/neg": ' { "ingress" : true } ' }, {}],
    [
      "malformed JSON is replaced",
      { "cloud.google.com/neg": "{ingress: true}", "cloud.google.com/app-protocols": "HTTP2" },
      {},
    ],
    [
      "JSON that is no map is replaced",
      { "cloud.google.com/neg": "[1]", "cloud.google.com/app-protocols": "null" },
      {},
    ],
    [
      "what is no text is replaced",
      { "cloud.google.com/neg": { ingress: true }, "cloud.google.com/backend-config": null },
      {},
    ],
  ])("%s", (_, present, changed) => {
    expect(annotations(present)).toEqual({ ...OURS, ...changed });
  });

  test("laid over the values that it came from, it asks for nothing more", () => {
    const values = {
      service: { annotations: { x: "y", "cloud.google.com/neg": '{"exposed_ports":{"1":{}}}' } },
    };
    const overlay = loadBalancerValues(values, PORT, "bc");
    expect(loadBalancerValues(mergeValues(values, overlay), PORT, "bc")).toEqual(overlay);
  });

  test("the port's own name is the key, as the controller wants it", () => {
    const overlay = loadBalancerValues({}, { name: "grpc", port: 1 }, "bc");
    expect(valueAt(overlay, "service", "annotations", "cloud.google.com/app-protocols")).toBe(
      '{"grpc":"HTTP2"}',
    );
  });
});
