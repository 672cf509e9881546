import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import type { Observed } from "../../src/observe/observed.ts";
import { openDoorOf } from "../../src/plan/exposure.ts";
import { observed, STARTING, settings } from "../support/observed.ts";

const OPEN =
  /has no authentication, and this run would make it reachable from the Internet; nothing was changed/;
const WARNING = /^Everybody on the Internet can read, change and delete Milvus's data without a password/;
const AUTHORIZED = {
  extraConfigFiles: { "user.yaml": "common: { security: { authorizationEnabled: true } }\n" },
};

/** Values that give a component the environment variable that decides on authentication. */
function variable(component: string, value: YamlMap): YamlMap {
  return { [component]: { extraEnv: [{ name: "COMMON_SECURITY_AUTHORIZATIONENABLED", ...value }] } };
}

/** A release with these values of its own, whose Service admits these clients when it is a load balancer. */
function release(values: YamlMap, annotations: Record<string, string> = {}, ranges: string[] = []): Observed {
  const seen = observed(values);
  const { metadata, spec } = seen.service;
  const service = v.parse(Service, {
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
    spec: { ...spec, loadBalancerSourceRanges: ranges },
  });
  return { ...seen, service };
}

const LAYER4 = { service: { type: "LoadBalancer" } };
const INTERNAL_LAYER4 = { "networking.gke.io/load-balancer-type": "Internal" };

describe("a Milvus without authentication", () => {
  test.each<[string, Observed]>([
    ["inside the cluster", release({})],
    ["behind an internal load balancer", release(LAYER4, INTERNAL_LAYER4)],
    ["behind one for some clients", release(LAYER4, {}, ["192.0.2.0/24"])],
    [
      "with authorizationEnabled: false",
      release({
        extraConfigFiles: { "user.yaml": "common: { security: { authorizationEnabled: false } }\n" },
      }),
    ],
    [
      "with an environment variable that switches authentication off",
      release({ ...AUTHORIZED, ...variable("standalone", { value: "false" }) }),
    ],
    [
      "with one of a cluster's proxy",
      release({ ...AUTHORIZED, ...variable("proxy", { value: "0" }), cluster: { enabled: true } }),
    ],
    [
      "with one whose value isn't known",
      release({ ...AUTHORIZED, ...variable("standalone", { valueFrom: { secretKeyRef: { name: "x" } } }) }),
    ],
    ["with one of a component that doesn't run", release({ ...variable("proxy", { value: "true" }) })],
  ])("%s is not opened to everybody", (_, seen) => {
    expect(() => openDoorOf(settings(), seen)).toThrow(OPEN);
    expect(openDoorOf(settings({ allow_anonymous: "true" }), seen)).toBeUndefined();
  });

  test.each<[string, Record<string, string>]>([
    ["an internal load balancer", { load_balancer: "internal", location: "us-central1" }],
    ["a Cloud Armor policy", { backend_config: "securityPolicy: { name: mine }" }],
    ["Identity-Aware Proxy", { backend_config: "iap: { enabled: true }" }],
    ["allowed_ranges", { allowed_ranges: "192.0.2.0/24" }],
    ["authentication from this run on", { values: JSON.stringify(AUTHORIZED) }],
  ])("is not opened by %s", (_, inputs) => {
    expect(openDoorOf(settings(inputs), release({}))).toBeUndefined();
  });

  test.each<[string, Record<string, string>]>([
    ["a Cloud Armor policy without a name", { backend_config: "securityPolicy: { name: '' }" }],
    ["Identity-Aware Proxy that is off", { backend_config: "iap: { enabled: false }" }],
  ])("is not protected by %s", (_, inputs) => {
    expect(() => openDoorOf(settings(inputs), release({}))).toThrow(OPEN);
  });

  test("that everybody can use already is a warning, as the run opens nothing", () => {
    expect(openDoorOf(settings(), release(LAYER4))).toMatch(WARNING);
    expect(openDoorOf(settings(), release(LAYER4, {}, ["0.0.0.0/0"]))).toMatch(WARNING);
  });
});

test("a Milvus with authentication is no danger", () => {
  expect(openDoorOf(settings(), release(STARTING))).toBeUndefined();
  expect(openDoorOf(settings(), release({ ...LAYER4, ...AUTHORIZED }))).toBeUndefined();
  expect(openDoorOf(settings(), release(variable("standalone", { value: "true" })))).toBeUndefined();
});

test("the error names the environment variable that switches authentication off", () => {
  const seen = release({ ...AUTHORIZED, ...variable("standalone", { value: "false" }) });
  expect(() => openDoorOf(settings(), seen)).toThrow(
    "COMMON_SECURITY_AUTHORIZATIONENABLED in standalone.extraEnv is false, and it wins over common.security.authorizationEnabled in user.yaml, load_balancer is external",
  );
});
