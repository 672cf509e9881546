import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { chartFiles, missingSubcharts } from "../../src/helm/stored-chart.ts";
import { decodeRelease } from "../../src/helm/stored-release.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** A Secret as Helm writes it. */
function secret(chart: object, rest: object = {}): unknown {
  const release = {
    version: 3,
    info: { status: "deployed", description: "Upgrade complete" },
    chart: { metadata: { name: "milvus", version: "5.0.19" }, templates: null, values: null, ...chart },
    ...rest,
  };
  const data = { release: base64(gzipSync(JSON.stringify(release)).toString("base64")) };
  return { metadata: { name: "sh.helm.release.v1.it.v3" }, data };
}

const REQUIREMENTS = {
  name: "requirements.yaml",
  data: base64(
    "dependencies:\n- name: etcd\n  version: 8.12.0\n- name: pulsar\n  alias: pulsarv3\n  version: ~3.3.0\n",
  ),
};
const LOCK = {
  dependencies: [
    { name: "etcd", version: "8.12.0" },
    { name: "pulsar", version: "3.3.1" },
  ],
};

describe("decodeRelease", () => {
  test("a revision with what Go writes as null", () => {
    expect(decodeRelease(secret({}, { config: null }))).toMatchObject({
      revision: 3,
      status: "deployed",
      description: "Upgrade complete",
      values: {},
      manifest: "",
      chart: { templates: [], files: [], values: {}, metadata: { dependencies: [] } },
    });
  });

  test("a Secret that somebody has changed is named", () => {
    const changed = { metadata: { name: "sh.helm.release.v1.it.v3" }, data: { release: base64("none") } };
    expect(() => decodeRelease(changed)).toThrow(
      /^Secret sh\.helm\.release\.v1\.it\.v3 can't be read as a revision of a Helm release\.\nWhy: .*\nWhat to do: /,
    );
  });

  test("values keep names that every object has", () => {
    const text = '{"__proto__":{"a":1},"toString":2}';
    const { values } = decodeRelease(secret({}, { config: JSON.parse(text) }));
    expect(JSON.stringify(values)).toBe(text);
  });
});

describe("missingSubcharts", () => {
  test.each<[string, object, string[]]>([
    ["a chart without any", {}, []],
    ["those that are disabled aren't needed", { files: [REQUIREMENTS], lock: LOCK }, []],
    [
      "those that are enabled, by their aliases",
      {
        files: [REQUIREMENTS],
        metadata: {
          name: "milvus",
          version: "5.0.19",
          dependencies: [
            { name: "etcd", version: "8.12.0", enabled: true },
            { name: "pulsarv3", alias: "pulsarv3", enabled: true },
          ],
        },
      },
      ["etcd", "pulsarv3"],
    ],
    ["all, when nothing tells what enables them", { lock: LOCK }, ["etcd", "pulsar"]],
  ])("%s", (_, chart, expected) => {
    expect(missingSubcharts(decodeRelease(secret(chart)).chart)).toEqual(expected);
  });
});

test("chartFiles: what Helm keeps, and in each subchart's place one that can't be rendered", () => {
  const { chart } = decodeRelease(
    secret({
      metadata: { name: "milvus", version: "5.0.19", apiVersion: "v1", dependencies: [] },
      lock: LOCK,
      values: { a: { b: 1e21 } },
      schema: base64("{}"),
      templates: [{ name: "templates/a.yaml", data: base64("a: {{ .Values.a }}") }],
      files: [REQUIREMENTS],
    }),
  );
  const files = Object.fromEntries(chartFiles(chart).map(({ path, content }) => [path, String(content)]));
  expect(files).toEqual({
    "Chart.yaml": '{"name":"milvus","version":"5.0.19","apiVersion":"v1"}',
    "values.yaml": '{"a":{"b":1e+21}}',
    "values.schema.json": "{}",
    "templates/a.yaml": "a: {{ .Values.a }}",
    "requirements.yaml": Buffer.from(REQUIREMENTS.data, "base64").toString(),
    "charts/0-etcd/Chart.yaml": '{"apiVersion":"v1","name":"etcd","version":"8.12.0"}',
    "charts/0-etcd/templates/missing.yaml": expect.stringContaining("{{ fail "),
    "charts/1-pulsar/Chart.yaml": '{"apiVersion":"v1","name":"pulsar","version":"3.3.1"}',
    "charts/1-pulsar/templates/missing.yaml": expect.stringContaining("subchart pulsar 3.3.1 is enabled"),
  });
});
