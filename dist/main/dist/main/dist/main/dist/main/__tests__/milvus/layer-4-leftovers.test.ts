import * as v from "valibot";
import { expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import { refuseLayer4Leftovers, SOURCE_RANGES } from "../../src/milvus/layer-4-leftovers.ts";

const RANGES = ["10.0.0.0/8"];

function service({ annotations = {}, ...spec }: { annotations?: object; [field: string]: unknown }): Service {
  return v.parse(Service, {
    metadata: { name: "s", namespace: "n", annotations },
    spec: { type: "LoadBalancer", clusterIP: "10.1.2.3", ...spec },
  });
}

test.each<[string, YamlMap, Service]>([
  ["a Service without any of it", {}, service({})],
  [
    "ranges of the release's own, which Helm takes away",
    ranges(RANGES),
    service({ loadBalancerSourceRanges: RANGES }),
  ],
  ["an annotation that null removes", annotated(null), service({})],
  ["the address that it has", { service: { clusterIP: "10.1.2.3" } }, service({})],
  ["no address of its own", { service: { clusterIP: "" } }, service({})],
])("admits %s", (_, values, live) => {
  expect(() => refuseLayer4Leftovers(values, values, live)).not.toThrow();
});

test("admits ranges that a failed upgrade may have rendered, because Helm removes them", () => {
  const live = service({ loadBalancerSourceRanges: RANGES });
  expect(() => refuseLayer4Leftovers({}, undefined, live)).not.toThrow();
});

test.each<[string, YamlMap, Service, string[]]>([
  [
    "an annotation of the release's",
    annotated("10.0.0.0/8"),
    service({}),
    [`The value service.annotations."${SOURCE_RANGES}" is set`, "set it to null"],
  ],
  [
    "an annotation of somebody else's",
    {},
    service({ annotations: { [SOURCE_RANGES]: "" } }),
    [`Service n/s has the annotation ${SOURCE_RANGES}`, `kubectl annotate service s -n n ${SOURCE_RANGES}-`],
  ],
  [
    "ranges of somebody else's",
    ranges(["0.0.0.0/0"]),
    service({ loadBalancerSourceRanges: RANGES }),
    ["Service n/s has spec.loadBalancerSourceRanges", "kubectl patch service s -n n --type=merge"],
  ],
  [
    "another address than it has",
    { service: { clusterIP: "None" } },
    service({}),
    ["The value service.clusterIP is None", "Service n/s has 10.1.2.3"],
  ],
])("refuses %s", (_, values, live, parts) => {
  for (const part of [...parts, "nothing was changed.\nWhy: ", "\nWhat to do: "]) {
    expect(() => refuseLayer4Leftovers(values, values, live)).toThrow(part);
  }
});

function annotated(value: string | null): YamlMap {
  return { service: { annotations: { [SOURCE_RANGES]: value } } };
}

function ranges(loadBalancerSourceRanges: string[]): YamlMap {
  return { service: { loadBalancerSourceRanges } };
}
