import fc from "fast-check";
import { expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { givenValues } from "../../src/helm/helm-values.ts";
import { computeValues, joinValues, valueAt } from "../../src/helm/values.ts";
import { differences, itemKeyOf } from "../../src/kubernetes/field-difference.ts";
import { planRelease } from "../../src/plan/release.ts";
import { planRendered } from "../../src/plan/rendered.ts";
import { DEFAULTS, liveObject, observed, STARTING, settings, storedRelease } from "../support/observed.ts";

const NAME = "my-release-milvus";
const QUERY_NODE = `${NAME}-querynode`;
const TLS = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n";

type Rendered = Parameters<typeof liveObject>[0];

/** How a chart differs from that of the release: as a fork, or by a post-renderer. */
interface Fork {
  image?: string | undefined;
  text?: string | undefined;
  env?: string | undefined;
}

/** What somebody sets by hand on live objects; `null` removes it. */
interface Edits {
  replicas?: number | undefined;
  image?: string | undefined;
  env?: string | null | undefined;
  cpu?: string | null | undefined;
  args?: readonly string[] | undefined;
  text?: string | undefined;
  annotation?: string | null | undefined;
  added?: string | undefined;
}

/** Renders a small chart: its query nodes, a ConfigMap, and what the load balancer needs. */
function render(values: YamlMap, fork: Fork): Rendered[] {
  const at = (...path: string[]) => valueAt(values, ...path);
  const userYaml = String(at("extraConfigFiles", "user.yaml") ?? "");
  const container = (name: string) => ({
    name,
    image: fork.image ?? at("tag") ?? "milvus:1",
    args: at("args") ?? ["run"],
    env: [{ name: "A", value: fork.env ?? at("env") ?? "" }],
    resources: { limits: { cpu: at("cpu") ?? 1 } },
    volumeMounts: [{ name: "config", mountPath: "/milvus/configs/user.yaml", subPath: "user.yaml" }],
  });
  const deployment = (component: string, replicas: unknown) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `${NAME}-${component}`, labels: { component }, annotations: { a: at("note") ?? "" } },
    spec: {
      replicas,
      template: {
        metadata: { labels: { component } },
        spec: {
          containers: [container(component)],
          volumes: [{ name: "config", configMap: { name: NAME } }],
        },
      },
    },
  });
  const data = { "user.yaml": userYaml.includes("tlsMode: 1") ? TLS : userYaml };
  return [
    deployment("querynode", at("queryNode", "replicas") ?? 1),
    deployment("standalone", 1),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: NAME },
      data: { ...data, text: fork.text ?? at("text") ?? "" },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: NAME, annotations: at("service", "annotations") ?? {} },
      spec: { type: at("service", "type"), selector: { component: "standalone" } },
    },
  ];
}

/** Changes the query nodes and the ConfigMap as people do. */
function edited(object: Rendered, edits: Edits): Rendered {
  const defined = (fields: object) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const { metadata } = object;
  if (object.kind === "ConfigMap") {
    const data = { ...Object(object.data), ...defined({ text: edits.text, added: edits.added }) };
    return { ...object, data };
  }
  if (metadata.name !== QUERY_NODE) return object;
  const { replicas, template } = Object(object.spec);
  const [container] = template.spec.containers;
  const variable = edits.env === undefined ? container.env : [{ name: "A", value: edits.env }];
  const added = edits.added === undefined ? [] : [{ name: "ADDED", value: edits.added }];
  const limits = edits.cpu === undefined ? container.resources.limits : { cpu: edits.cpu };
  const changed = {
    ...container,
    ...defined({ image: edits.image, args: edits.args }),
    env: [...(edits.env === null ? [] : variable), ...added],
    resources: edits.cpu === null ? {} : { limits },
  };
  const annotations = edits.annotation === undefined ? metadata.annotations : { a: edits.annotation };
  return {
    ...object,
    metadata: { ...metadata, annotations: edits.annotation === null ? {} : annotations },
    spec: {
      replicas: edits.replicas ?? replicas,
      template: { ...template, spec: { ...template.spec, containers: [changed] } },
    },
  };
}

/**
 * Applies a manifest as Helm does: removes what the manifest no longer has, and leaves what only the cluster
 * has.
 */
function applied(live: unknown, stored: unknown, wanted: unknown): unknown {
  if (isMap(wanted)) {
    const [now, old] = [isMap(live) ? live : {}, isMap(stored) ? stored : {}];
    const kept = Object.entries(now).filter(([key]) => key in wanted || !(key in old));
    const set = Object.entries(wanted).map(([key, value]) => [key, applied(now[key], old[key], value)]);
    return { ...Object.fromEntries(kept), ...Object.fromEntries(set) };
  }
  if (!Array.isArray(wanted) || !Array.isArray(live)) return wanted;
  const key = itemKeyOf(wanted, live);
  if (key === undefined) return wanted;
  const named = (list: unknown, name: unknown) =>
    (Array.isArray(list) ? list : []).find((item) => Object(item)[key] === name);
  const names = [...new Set([...live, ...wanted].map((item) => Object(item)[key]))];
  return names.flatMap((name) => {
    const next = named(wanted, name);
    if (next !== undefined) return [applied(named(live, name), named(stored, name), next)];
    return named(stored, name) === undefined ? [named(live, name)] : [];
  });
}

function documents(objects: readonly object[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");
}

const text = fc.constantFrom("", "x", "y");
const tag = fc.constantFrom("milvus:1", "milvus:2", "milvus:3");
const few = { requiredKeys: [] };
const valuesOf = fc.record(
  {
    tag,
    env: text,
    text,
    note: text,
    cpu: fc.constantFrom(1, "2", "500m"),
    args: fc.constantFrom(["run"], ["run", "all"], []),
    queryNode: fc.record({ replicas: fc.integer({ min: 0, max: 3 }) }),
  },
  few,
);
const editsOf = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 4 }),
    image: tag,
    env: fc.option(text),
    cpu: fc.option(fc.constantFrom("1500m", "3")),
    args: fc.constantFrom(["run"], ["all"], ["run", "more"]),
    text,
    annotation: fc.option(text),
    added: text,
  },
  few,
);
const forkOf = fc.record({ image: tag, text, env: text }, few);
/** The run has the chart of the release half of the time. */
const otherFork = fc.option(forkOf, { freq: 2 });

test("whatever an upgrade changes in the cluster is listed, or refused; and no pods are lost unasked", () => {
  const outcomes = { listed: 0, refused: 0 };
  fc.assert(
    fc.property(valuesOf, valuesOf, editsOf, forkOf, otherFork, (own, asked, edits, madeFrom, other) => {
      const chart = other ?? madeFrom;
      const values = joinValues(STARTING, own);
      const stored = render(computeValues(DEFAULTS, values), madeFrom);
      const live = stored.map((object) => liveObject(edited(object, edits)));
      const inputs = { keep_layer4: "false", values: JSON.stringify(asked) };
      try {
        const wishes = settings(inputs);
        const seen = {
          ...observed(values, { base: storedRelease({ values, manifest: documents(stored) }) }),
          workloads: live.filter(({ kind }) => kind === "Deployment"),
        };
        const { upgrade, notes } = planRelease(wishes, seen);
        if (!upgrade) throw new Error("there is no upgrade");
        const after = joinValues(computeValues(DEFAULTS, values), givenValues(upgrade.values));
        const wanted = render(after, chart);
        const { fields, edits: lost } = planRendered(wishes, seen, upgrade, {
          chart: { path: "/chart", name: "milvus", version: "5.0.19" },
          baselines: [documents(render(computeValues(DEFAULTS, values), chart))],
          installed: undefined,
          hooks: [],
          wanted: documents(wanted),
          live: live.filter(({ kind }) => kind !== "Deployment"),
        });
        for (const [index, object] of wanted.entries()) {
          const { kind, metadata } = object;
          const { metadata: now, ...content } = live[index] ?? liveObject(object);
          const before = { ...content, metadata: { labels: now.labels, annotations: now.annotations } };
          const known = [...fields, ...lost].filter(
            (field) => field.kind === kind && field.name === metadata.name,
          );
          for (const { path } of differences(before, withoutNames(applied(before, stored[index], object)))) {
            const isListed = known.some((field) => isWithin(path, field.path) || isWithin(field.path, path));
            expect(isListed, `${kind} ${metadata.name}: ${path}`).toBe(true);
          }
        }
        const [replicas, next] = [live[0], wanted[0]].map((object) => Object(object?.spec).replicas);
        const isAsked = asked.queryNode?.replicas !== undefined;
        expect(next >= replicas || isAsked).toBe(true);
        const recorded = Object(stored[0]?.spec).replicas;
        expect(notes.some((note) => note.includes(QUERY_NODE))).toBe(replicas !== recorded);
        outcomes.listed += 1;
      } catch (error) {
        if (!(error instanceof ActionError)) throw error;
        outcomes.refused += 1;
      }
    }),
    { numRuns: 1000 },
  );
  // The property says something only if both happen.
  expect(Math.min(outcomes.listed, outcomes.refused)).toBeGreaterThan(100);
});

/** Returns an applied object whose metadata has only labels and annotations. */
function withoutNames(object: unknown): unknown {
  const { labels, annotations } = Object(Object(object).metadata);
  return { ...Object(object), metadata: { labels, annotations } };
}

function isWithin(path: string, other: string): boolean {
  return path === other || (path.startsWith(other) && /^[.[]/.test(path.slice(other.length)));
}
