import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { withRemovals } from "../../src/loadbalancer/removals.ts";
import { NEW_SERVICE, syncFeatures } from "../support/backend-features.ts";
import { liveObject, settings } from "../support/observed.ts";

const backendConfig = (spec: YamlMap) =>
  liveObject({ kind: "BackendConfig", metadata: { name: "my-release-backendconfig" }, spec });
const frontendConfig = (spec: YamlMap, metadata = {}) =>
  liveObject({ kind: "FrontendConfig", metadata: { name: "my-release-frontendconfig", ...metadata }, spec });

describe("fields that a BackendConfig no longer has are turned off", () => {
  const CLIENT = { enabled: true, oauthclientCredentials: { secretName: "s" } };
  test.each<[string, Record<string, string>, YamlMap, YamlMap]>([
    ["nothing", {}, { timeoutSec: 30, healthCheck: {}, connectionDraining: {} }, {}],
    [
      "everything",
      {},
      {
        cdn: { enabled: true },
        customRequestHeaders: { headers: ["a:b"] },
        customResponseHeaders: { headers: ["a:b"] },
        iap: { enabled: true },
        logging: { enable: true, sampleRate: 0.5 },
        securityPolicy: { name: "mine" },
        sessionAffinity: { affinityType: "GENERATED_COOKIE", affinityCookieTtlSec: 50 },
      },
      {
        cdn: { enabled: false },
        customRequestHeaders: {},
        iap: { enabled: false },
        logging: { enable: false },
        securityPolicy: { name: "" },
        sessionAffinity: { affinityType: "NONE", affinityCookieTtlSec: 0 },
      },
    ],
    ["what is off already", {}, { logging: { enable: false } }, { logging: { enable: false } }],
    [
      "not what is still wanted",
      { backend_config: "logging: {enable: true}" },
      { logging: { enable: true, sampleRate: 0.5 } },
      { logging: { enable: true } },
    ],
    [
      "not what is to be left alone",
      { backend_config: "securityPolicy:" },
      { securityPolicy: { name: "mine" } },
      {},
    ],
    ["not what the API server calls null", {}, { securityPolicy: null }, {}],
    [
      "no security policy of an internal one",
      { load_balancer: "internal" },
      { securityPolicy: { name: "" } },
      {},
    ],
    ["no IAP with an OAuth client", {}, { iap: CLIENT }, {}],
  ])("%s", (_, inputs, live, expected) => {
    const wanted = settings(inputs);
    const first = withRemovals(wanted, [backendConfig(live)]);
    expect(first.backendConfig).toEqual(expected);
    // The next run finds it so, and changes nothing.
    expect(withRemovals(wanted, [backendConfig(first.backendConfig)]).backendConfig).toEqual(expected);
  });

  const ON: YamlMap = {
    cdn: { enabled: true },
    customRequestHeaders: { headers: ["a:b"] },
    customResponseHeaders: { headers: ["a:b"] },
    iap: { enabled: true },
    logging: { enable: true, sampleRate: 0.5 },
    sessionAffinity: { affinityType: "GENERATED_COOKIE", affinityCookieTtlSec: 50 },
  };
  test.each(Object.entries(ON))(
    "Google's controller turns %s off, and then leaves the backend alone",
    (field, value) => {
      const live = { [field]: value };
      const on = syncFeatures(live, NEW_SERVICE);
      expect(on.updated).toEqual([field]);
      const { backendConfig: off, turnsIapOff } = withRemovals(settings(), [backendConfig(live)]);
      const turned = syncFeatures(off, on.service);
      expect(turned.updated).toEqual([field]);
      // Once Milvus has answered, the switch of IAP goes.
      const { iap, ...rest } = off;
      expect(iap !== undefined).toBe(turnsIapOff);
      const settled = syncFeatures(rest, turned.service);
      expect(settled).toEqual({ service: turned.service, updated: [] });
      expect(settled.service).toMatchObject({
        enableCDN: false,
        customRequestHeaders: null,
        customResponseHeaders: null,
        sessionAffinity: "NONE",
      });
      expect(settled.service.iap?.enabled ?? false).toBe(false);
      expect(settled.service.logConfig?.enable ?? false).toBe(false);
      expect(withRemovals(settings(), [backendConfig(rest)]).backendConfig).toEqual(rest);
    },
  );

  test.each([
    ["customResponseHeaders", {}],
    ["customRequestHeaders", { headers: [] }],
    ["iap", { enabled: false }],
  ])("it would update the backend at every sync with %s: %o", (field, value) => {
    const once = syncFeatures({ [field]: value }, NEW_SERVICE);
    expect(syncFeatures({ [field]: value }, once.service).updated).toEqual([field]);
  });

  test("but not fields that somebody else set", () => {
    const fields = (...names: string[]) => ({
      "f:spec": Object.fromEntries(names.map((name) => [`f:${name}`, {}])),
    });
    const managedFields = [
      { manager: "milvus-gke-load-balancer", operation: "Apply", fieldsV1: fields("logging", "iap") },
      { manager: "kubectl-edit", operation: "Update", fieldsV1: fields("securityPolicy", "iap") },
    ];
    const live = liveObject({
      kind: "BackendConfig",
      metadata: { name: "my-release-backendconfig", managedFields },
      spec: { logging: { enable: true }, securityPolicy: { name: "theirs" }, iap: { enabled: true } },
    });
    expect(withRemovals(settings(), [live]).backendConfig).toEqual({ logging: { enable: false } });
  });

  test.each<[string, YamlMap, boolean]>([
    ["with an OAuth client", { iap: CLIENT }, true],
    ["with Google's own", { iap: { enabled: true } }, false],
    ["off already", { iap: { ...CLIENT, enabled: false } }, false],
    ["none", {}, false],
  ])("leavesIap: %s", (_, live, leavesIap) => {
    expect(withRemovals(settings(), [backendConfig(live)]).leavesIap).toBe(leavesIap);
  });
});

test.each<[string, Record<string, string>, ReturnType<typeof liveObject>[], YamlMap | undefined]>([
  ["none wanted, and none there", {}, [], undefined],
  ["none wanted, one without a policy", {}, [frontendConfig({ redirectToHttps: {} })], undefined],
  ["none wanted, one with a policy", {}, [frontendConfig({ sslPolicy: "mine" })], { sslPolicy: "" }],
  ["none wanted, one without a policy by now", {}, [frontendConfig({ sslPolicy: "" })], { sslPolicy: "" }],
  [
    "none wanted, somebody else's",
    {},
    [frontendConfig({ sslPolicy: "mine" }, { managedFields: [] })],
    undefined,
  ],
  [
    "one without a policy",
    { allow_http: "true", frontend_config: "redirectToHttps: {enabled: true}" },
    [frontendConfig({ sslPolicy: "mine" })],
    { redirectToHttps: { enabled: true }, sslPolicy: "" },
  ],
  [
    "one with another policy",
    { frontend_config: "sslPolicy: other" },
    [frontendConfig({ sslPolicy: "mine" })],
    { sslPolicy: "other" },
  ],
])("an SSL policy that a FrontendConfig no longer has is turned off: %s", (_, inputs, live, expected) => {
  expect(withRemovals(settings(inputs), live).frontendConfig).toEqual(expected);
});
