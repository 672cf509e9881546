import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { describeLostValues, type LostValue, lostValues } from "../../src/helm/lost-values.ts";
import { joinValues } from "../../src/helm/values.ts";

const S3 = { enabled: true, host: "storage.googleapis.com", useIAM: true };
const userYaml = (text: string) => ({ extraConfigFiles: { "user.yaml": text } });
const AUTHORIZATION = "common:\n  security:\n    authorizationEnabled: true\n";
const TLS = "common:\n  security:\n    tlsMode: 1\n";

describe("lostValues", () => {
  test.each<[string, YamlMap, YamlMap[], LostValue[]]>([
    [
      "a map that is gone as a whole counts as one",
      { service: { type: "ClusterIP" } },
      [{ service: { type: "LoadBalancer" }, minio: { enabled: false }, externalS3: S3 }],
      [
        { path: "minio", revision: 1 },
        { path: "externalS3", revision: 1 },
      ],
    ],
    [
      "of a map that is there in part, what is gone of it",
      { externalS3: { host: "other" } },
      [{ externalS3: S3 }],
      [
        { path: "externalS3.enabled", revision: 1 },
        { path: "externalS3.useIAM", revision: 1 },
      ],
    ],
    [
      "the newest revision that had it",
      {},
      [{ minio: { enabled: false } }, { minio: { enabled: true } }, {}],
      [{ path: "minio", revision: 2 }],
    ],
    [
      "what only an older one had besides",
      {},
      [{ externalS3: S3 }, { externalS3: { enabled: true, host: "h" } }],
      [
        { path: "externalS3", revision: 2 },
        { path: "externalS3.useIAM", revision: 1 },
      ],
    ],
    [
      "settings in a user.yaml that was replaced as a whole",
      userYaml(TLS),
      [userYaml(AUTHORIZATION)],
      [{ path: 'extraConfigFiles."user.yaml".common.security.authorizationEnabled', revision: 1 }],
    ],
    [
      "a user.yaml that has been added to",
      userYaml(`${TLS}    authorizationEnabled: no\n`),
      [userYaml(TLS)],
      [],
    ],
    [
      "a user.yaml of which only comments are left",
      userYaml("# Settings laid over the chart's own.\n"),
      [userYaml("a: 1")],
      [{ path: 'extraConfigFiles."user.yaml".a', revision: 1 }],
    ],
    ["text that happens to be YAML, under another name", { password: "a: 1" }, [{ password: "b: 1" }], []],
    ["text that is no YAML counts as a value", userYaml("a:\n  - b\n c"), [userYaml("{\nx")], []],
    [
      "what was changed isn't lost: to another value, another kind, null",
      { a: 2, b: "text", c: null },
      [{ a: 1, b: { x: 1 }, c: { y: 1 } }],
      [],
    ],
    ["an empty map holds nothing to lose", {}, [{ tolerations: {} }], []],
    ["null, a chart's default taken away, is a value", {}, [{ a: null }], [{ path: "a", revision: 1 }]],
    ["no former revision", { a: 1 }, [], []],
  ])("%s", (_, current, history, expected) => {
    const revisions = history.map((values, index) => ({ revision: index + 1, values }));
    expect(lostValues(current, revisions)).toEqual(expected);
  });

  /** Random values; what is under `key` may be text that holds YAML. */
  const trees = (key: string) =>
    fc.letrec<{ tree: YamlMap; node: unknown }>((tie) => ({
      tree: fc.dictionary(fc.constantFrom("a", "b", key, "toString"), tie("node"), { maxKeys: 4 }),
      node: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, "", 0, true, "k: 1\nl: 2\n"),
        fc.array(fc.integer(), { maxLength: 2 }),
        tie("tree"),
      ),
    })).tree;

  test("nothing is lost of what is kept or replaced", () => {
    fc.assert(
      fc.property(trees("c"), trees("c"), (former, over) => {
        expect(lostValues(joinValues(former, over), [{ revision: 1, values: former }])).toEqual([]);
      }),
    );
  });

  test("no path is named twice, in whatever order the history is", () => {
    const former = fc
      .array(trees("c.yaml"), { maxLength: 4 })
      .map((history) => history.map((values, index) => ({ revision: index + 1, values })));
    fc.assert(
      fc.property(trees("c.yaml"), former, (current, history) => {
        const lost = lostValues(current, history);
        const paths = lost.map(({ path }) => path);
        expect(new Set(paths).size).toBe(paths.length);
        expect(lostValues(current, history.toReversed())).toEqual(lost);
      }),
    );
  });
});

test("describeLostValues names the values by revision, and the commands that show them", () => {
  const text = describeLostValues({ name: "my-release", namespace: "milvus" }, [
    { path: "externalS3", revision: 2 },
    { path: "minio", revision: 2 },
    { path: "pulsar", revision: 1 },
  ]);
  expect(text.split("\n")).toEqual([
    "Former revisions of release my-release in namespace milvus had values that it has no more:",
    "- revision 2: externalS3, minio (`helm get values my-release -n milvus --revision 2`)",
    "- revision 1: pulsar (`helm get values my-release -n milvus --revision 1`)",
    "Those that were not removed on purpose can be given back with the input values.",
  ]);
});
