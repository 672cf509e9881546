import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { mergeValues, valueAt } from "../../src/helm/values.ts";
import { loadBalancerValues } from "../../src/milvus/values.ts";

const PORT = { name: "milvus", port: 19530 };

describe("loadBalancerValues", () => {
  function annotations(present: YamlMap): unknown {
    const overlay = loadBalancerValues({ service: { annotations: present } }, PORT, "bc");
    return valueAt(overlay, "service", "annotations");
  }

  test("returns only the three annotations, ClusterIP and TLS", () => {
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

  test("returns the same once its values are set", () => {
    const values = {
      service: { annotations: { x: "y", "cloud.google.com/neg": '{"exposed_ports":{"1":{}}}' } },
    };
    const overlay = loadBalancerValues(values, PORT, "bc");
    expect(loadBalancerValues(mergeValues(values, overlay), PORT, "bc")).toEqual(overlay);
  });

  test("uses the port's own name as key, as the controller requires", () => {
    const overlay = loadBalancerValues({}, { name: "grpc", port: 1 }, "bc");
    expect(valueAt(overlay, "service", "annotations", "cloud.google.com/app-protocols")).toBe(
      '{"grpc":"HTTP2"}',
    );
  });
});
