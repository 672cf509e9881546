import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import { refuseOldProtocols, refuseUnsupportedValues } from "../../src/milvus/value-checks.ts";

const PORT = { name: "milvus", port: 19530 };
const SERVICE = v.parse(Service, { metadata: { name: "my-release-milvus", namespace: "default" }, spec: {} });
const RELEASE = { name: "r", chart: "milvus" };

/** Values that give a component's containers environment variables. */
function env(component: string, variables: Record<string, string>): YamlMap {
  return { [component]: { extraEnv: Object.entries(variables).map(([name, value]) => ({ name, value })) } };
}

describe("refuseUnsupportedValues", () => {
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
      "an environment variable of an unused component",
      { ...env("standalone", { COMMON_SECURITY_TLSMODE: "0" }), cluster: { enabled: true } },
      {},
    ],
    [
      "environment variables of other kinds",
      { standalone: { extraEnv: ["x", { name: "A", valueFrom: {} }, { value: "0" }] } },
      {},
    ],
  ])("admits %s", (_, values, requested) => {
    expect(() => refuseUnsupportedValues({ service: {}, ...values }, requested, RELEASE)).not.toThrow();
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
      ["set service.type: NodePort", "remove service.type"],
    ],
    ["a type that is no type", {}, { service: { type: false } }, ["set service.type: false"]],
    [
      "user.yaml as a map",
      { extraConfigFiles: { "user.yaml": { common: { security: { authorizationEnabled: true } } } } },
      {},
      ['extraConfigFiles."user.yaml" of release r is not text', "`user.yaml: |`"],
    ],
    [
      "a chart with Milvus as a subchart",
      { service: undefined, milvus: { service: {} } },
      {},
      ["Release r does not use Milvus's own chart", "its chart milvus has no values `service`"],
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
      "an environment variable that makes REST and gRPC share a port",
      env("standalone", { PROXY_HTTP_PORT: "19530" }),
      {},
      ["sets PROXY_HTTP_PORT in standalone.extraEnv"],
    ],
    ["user.yaml as a list", { extraConfigFiles: { "user.yaml": [] } }, {}, ["is not text"]],
  ])("refuses %s", (_, values, requested, parts) => {
    for (const part of [...parts, "nothing was changed.\nWhy: ", "\nWhat to do: "])
      expect(() => refuseUnsupportedValues({ service: {}, ...values }, requested, RELEASE)).toThrow(part);
  });
});

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
    ["no such annotation", SERVICE, {}, {}],
    ["one that says HTTP2 too", live('{"milvus":"HTTP2"}'), {}, {}],
    ["one of the values' that says HTTP2 too", SERVICE, {}, annotated('{"milvus":"HTTP2"}')],
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
    ["one that is given", SERVICE, {}, annotated(HTTPS), `set service.annotations."${OLD}" to null`],
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
