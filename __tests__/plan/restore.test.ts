import fc from "fast-check";
import { dump, load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { givenValues } from "../../src/helm/helm-values.ts";
import { joinValues, mergeValues, valueAt } from "../../src/helm/values.ts";
import { loadBalancerValues } from "../../src/milvus/values.ts";
import { planRestore, revisionBefore } from "../../src/plan/restore.ts";

const PORT = { name: "milvus", port: 19530 };
/** What the chart has by itself. */
const DEFAULTS: YamlMap = {
  service: { type: "ClusterIP", port: 19530, portName: "milvus", annotations: {} },
};

/** The release's values after a deployment. */
function deployed(values: YamlMap): YamlMap {
  return mergeValues(values, loadBalancerValues(mergeValues(DEFAULTS, values), PORT, "my-backendconfig"));
}

function restored(values: YamlMap, former: YamlMap | undefined): YamlMap | undefined {
  const plan = planRestore(values, former && { revision: 1, values: former });
  return plan && givenValues(plan.values);
}

describe("planRestore", () => {
  const page: YamlMap = {
    service: { type: "LoadBalancer" },
    extraConfigFiles: { "user.yaml": "common:\n  security:\n    authorizationEnabled: true # all of them\n" },
  };

  test.each<[string, YamlMap]>([
    ["of Milvus's page", page],
    ["without anything", {}],
    ["with an empty map of the service's", { service: {} }],
    ["with no service at all", { service: null }],
    ["with annotations taken away", { service: { annotations: null } }],
    ["with empty annotations", { service: { type: "NodePort", annotations: {} } }],
    ["with annotations of the user's", { service: { annotations: { "example.com/owner": "me" } } }],
    [
      "with other backend protocols",
      { service: { annotations: { "cloud.google.com/app-protocols": '{"metrics":"HTTP"}' } } },
    ],
    ["with another file", { extraConfigFiles: { "other.yaml": "a: 1\n" } }],
    ["with TLS already", { extraConfigFiles: { "user.yaml": "common: {security: {tlsMode: 1}}\n" } }],
    ["with user.yaml taken away", { extraConfigFiles: { "user.yaml": null } }],
    ["with no extraConfigFiles", { extraConfigFiles: null }],
  ])("restores the values of a release %s", (_, before) => {
    expect(restored(deployed(before), before)).toEqual(before);
  });

  test.each<[string, YamlMap, YamlMap]>([
    ["another value", { etcd: { replicaCount: 5 } }, { ...page, etcd: { replicaCount: 5 } }],
    [
      "another annotation",
      { service: { annotations: { "example.com/owner": "me" } } },
      { ...page, service: { type: "LoadBalancer", annotations: { "example.com/owner": "me" } } },
    ],
    [
      "a setting of Milvus's",
      {
        extraConfigFiles: {
          "user.yaml":
            "common:\n  security:\n    tlsMode: 1\n    superUsers: root\nproxy:\n  http:\n    port: 8080\nlog:\n  level: debug\n",
        },
      },
      {
        ...page,
        extraConfigFiles: {
          "user.yaml": "common:\n  security:\n    superUsers: root\nlog:\n  level: debug\n",
        },
      },
    ],
    [
      "another file",
      { extraConfigFiles: { "other.yaml": "a: 1\n" } },
      { ...page, extraConfigFiles: { ...Object(page.extraConfigFiles), "other.yaml": "a: 1\n" } },
    ],
    ["no user.yaml", { extraConfigFiles: null }, { service: page.service }],
    [
      "a user.yaml that is no text",
      { extraConfigFiles: { "user.yaml": 1 } },
      { ...page, extraConfigFiles: { "user.yaml": 1 } },
    ],
  ])("keeps what was set since: %s", (_, since, expected) => {
    expect(restored(mergeValues(deployed(page), since), page)).toEqual(expected);
  });

  test("restores layer 4 without TLS when the former values are unknown", () => {
    expect(restored(deployed(page), undefined)).toEqual(page);
    expect(restored(deployed({}), undefined)).toEqual({ service: { type: "LoadBalancer" } });
  });

  test("names each path that changes, and the revision that it is restored from", () => {
    const plan = planRestore(deployed({}), { revision: 7, values: { service: { type: "LoadBalancer" } } });
    expect(plan?.reasons).toEqual([
      "value service.type becomes as it was in revision 7",
      "value service.annotations becomes as it was in revision 7",
      "value extraConfigFiles becomes as it was in revision 7",
    ]);
  });

  test("plans no upgrade for a release without this action's values", () => {
    expect(planRestore(page, undefined)).toBeUndefined();
    expect(planRestore({}, { revision: 1, values: page })).toBeUndefined();
  });
});

describe("planRestore of random values", () => {
  const name = fc.constantFrom("a", "service.type", "toString", "__proto__", "example.com/owner");
  const leaf = fc.constantFrom<unknown>(null, "", "x", 0, true);
  const { node } = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(leaf, { maxLength: 2 }),
      fc.dictionary(name, tie("node"), { maxKeys: 3 }),
    ),
  }));
  const others = fc.dictionary(name, node, { maxKeys: 3 });
  const text = fc.constantFrom("LoadBalancer", "ClusterIP", "NodePort");
  const annotations = fc.record(
    {
      "cloud.google.com/app-protocols": fc.constantFrom('{"milvus":"HTTPS"}', "not JSON", ""),
      "cloud.google.com/backend-config": fc.constantFrom('{"ports":{"milvus":"mine"}}', '{"default":"mine"}'),
      "example.com/team": fc.constant("search"),
    },
    { requiredKeys: [] },
  );
  const service = fc
    .tuple(
      others,
      fc.record(
        { type: text, annotations: fc.oneof(fc.constant(null), annotations), port: fc.constant(19530) },
        { requiredKeys: [] },
      ),
    )
    .map(([more, known]) => ({ ...more, ...known }));
  const mode = fc.constantFrom(0, 1);
  const settings = fc
    .tuple(
      others,
      fc.record(
        {
          common: fc.record(
            {
              security: fc.record(
                { tlsMode: mode, authorizationEnabled: fc.boolean() },
                { requiredKeys: [] },
              ),
            },
            { requiredKeys: [] },
          ),
          proxy: fc.record(
            {
              http: fc.record(
                { enabled: fc.boolean(), port: fc.constantFrom(8080, 9999) },
                { requiredKeys: [] },
              ),
            },
            { requiredKeys: [] },
          ),
        },
        { requiredKeys: [] },
      ),
      fc.constantFrom(-1, 0, 1),
    )
    .map(([more, known, flowLevel]) => dump({ ...more, ...known }, { flowLevel }));
  const files = fc
    .tuple(others, fc.record({ "user.yaml": fc.oneof(fc.constant(null), settings) }, { requiredKeys: [] }))
    .map(([more, known]) => ({ ...more, ...known }));
  const values = fc
    .tuple(
      others,
      fc.record(
        {
          service: fc.oneof(fc.constant(null), service),
          extraConfigFiles: fc.oneof(fc.constant(null), files),
        },
        { requiredKeys: [] },
      ),
    )
    .map(([more, known]): YamlMap => ({ ...more, ...known }));

  test("restores the former values", () => {
    fc.assert(
      fc.property(values, (before) => {
        expect(restored(deployed(before), before)).toEqual(before);
      }),
      { numRuns: 1000 },
    );
  });

  test("restores them after several deployments too", () => {
    fc.assert(
      fc.property(values, (before) => {
        expect(restored(deployed(deployed(before)), before)).toEqual(before);
      }),
    );
  });

  test("keeps the values that were set since", () => {
    fc.assert(
      fc.property(values, others, (before, more) => {
        const since = Object.fromEntries(Object.entries(more).map(([key, value]) => [`since-${key}`, value]));
        const expected = joinValues(before, since);
        expect(restored(joinValues(deployed(before), since), before)).toEqual(expected);
      }),
    );
  });

  test("keeps the settings of Milvus that were set since", () => {
    fc.assert(
      fc.property(values, fc.constantFrom("debug", "warn"), (before, level) => {
        const now = deployed(before);
        const own = valueAt(now, "extraConfigFiles", "user.yaml");
        const edited = dump(joinValues(settingsIn(own), { sinceThen: { level } }));
        const result = restored(joinValues(now, { extraConfigFiles: { "user.yaml": edited } }), before);
        const expected = joinValues(settingsIn(valueAt(before, "extraConfigFiles", "user.yaml")), {
          sinceThen: { level },
        });
        expect(withoutEmpty(settingsIn(valueAt(result ?? {}, "extraConfigFiles", "user.yaml")))).toEqual(
          withoutEmpty(expected),
        );
      }),
    );
  });

  test("never fails on values that a deployment accepts", () => {
    fc.assert(
      fc.property(others, others, (before, now) => {
        const under = attempt(() => deployed(now));
        fc.pre(under !== undefined);
        expect(isMap(restored(under, before))).toBe(true);
      }),
    );
  });
});

describe("revisionBefore", () => {
  const ours = deployed({});
  const revision = (number: number, values: YamlMap) => ({ revision: number, values });
  test.each<[string, YamlMap[], number | undefined]>([
    ["the one before the first deployment", [{}, { a: 1 }, ours, ours], 2],
    ["the newest one when an upgrade has dropped our values", [{}, ours, { a: 1 }, ours], 3],
    ["none when history begins with ours", [ours, ours], undefined],
    ["none without a history", [], undefined],
  ])("is %s", (_, history, expected) => {
    const found = revisionBefore(history.map((values, index) => revision(index + 1, values)));
    expect(found?.revision).toBe(expected);
  });
});

function settingsIn(text: unknown): YamlMap {
  const settings = typeof text === "string" ? load(text) : undefined;
  return isMap(settings) ? settings : {};
}

/** Returns values without empty maps, which mean nothing to Milvus. */
function withoutEmpty(tree: YamlMap): YamlMap {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]) => {
      const below = isMap(value) ? withoutEmpty(value) : value;
      return isMap(below) && Object.keys(below).length === 0 ? [] : [[key, below]];
    }),
  );
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ActionError) return undefined;
    throw error;
  }
}
