import { describe, expect, test } from "vitest";
import { readDocuments } from "../../src/kubernetes/manifest-documents.ts";

const read = (text: string) => readDocuments(text, "k8s/it.yaml", "milvus");

const named = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

/** What was read, as `kind namespace/name at origin`. */
const summary = (text: string) =>
  read(text).manifests.map(
    ({ manifest: { kind, metadata }, origin }) =>
      `${kind} ${metadata.namespace}/${metadata.name} at ${origin.replace("k8s/it.yaml, ", "")}`,
  );

describe("readDocuments finds the objects in", () => {
  test.each<[string, string, string[]]>([
    ["nothing", "", []],
    ["only comments", "# none\n---\n# none either\n", []],
    ["empty documents", "---\n---\n\n---\n{}\n---\nnull\n...\n", []],
    ["one", named("a"), ["ConfigMap milvus/a at document 1, line 1"]],
    [
      "two",
      `${named("a")}---\n${named("b")}`,
      ["ConfigMap milvus/a at document 1, line 1", "ConfigMap milvus/b at document 2, line 5"],
    ],
    [
      "comments before and after",
      `# a\n---\n\n# b\n${named("a")}# c\n--- # d\n# e\n${named("b")}---\n# f\n`,
      ["ConfigMap milvus/a at document 1, line 5", "ConfigMap milvus/b at document 2, line 11"],
    ],
    ["a directive", `%YAML 1.2\n---\n${named("a")}`, ["ConfigMap milvus/a at document 1, line 3"]],
    [
      "document ends",
      `${named("a")}...\n---\n${named("b")}...\n`,
      ["ConfigMap milvus/a at document 1, line 1", "ConfigMap milvus/b at document 2, line 6"],
    ],
    [
      "content beside the marker",
      "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n",
      ["ConfigMap milvus/a at document 1, line 1"],
    ],
    [
      "CRLF",
      `${named("a")}---\n${named("b")}`.replaceAll("\n", "\r\n"),
      ["ConfigMap milvus/a at document 1, line 1", "ConfigMap milvus/b at document 2, line 5"],
    ],
    ["a byte order mark", `\ufeff${named("a")}`, ["ConfigMap milvus/a at document 1, line 1"]],
    [
      "what looks like a marker inside a block",
      `${named("a")}data:\n  text: |\n    ---\n    ...\n    ----\n`,
      ["ConfigMap milvus/a at document 1, line 1"],
    ],
    [
      "JSON, indented by tabs",
      JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name: "a" } }, null, "\t"),
      ["Secret milvus/a at document 1, line 1"],
    ],
    [
      "a namespace of its own",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: other}\n",
      ["Secret other/a at document 1, line 1"],
    ],
    [
      "a list, also in a list",
      JSON.stringify({
        apiVersion: "v1",
        kind: "List",
        items: [
          { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } },
          {
            apiVersion: "v1",
            kind: "ConfigMapList",
            items: [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } }],
          },
        ],
      }),
      [
        "Secret milvus/a at document 1, line 1, item 1",
        "ConfigMap milvus/b at document 1, line 1, item 2, item 1",
      ],
    ],
    ["an empty list", "apiVersion: v1\nkind: List\nitems: []\n", []],
    [
      "a kind that is only called a list",
      "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\n",
      ["AllowList milvus/a at document 1, line 1"],
    ],
  ])("%s", (_, text, found) => {
    expect(read(text).mistakes).toEqual([]);
    expect(summary(text)).toEqual(found);
  });

  test("an object and leaves it unchanged", () => {
    const object = {
      apiVersion: "example.com/v1",
      kind: "Widget",
      metadata: { name: "a", labels: { x: "y" }, annotations: { z: "" }, finalizers: ["f"] },
      spec: { deep: [{ er: null }] },
      data: "any",
    };
    expect(read(JSON.stringify(object)).manifests.map(({ manifest }) => manifest)).toEqual([
      { ...object, metadata: { ...object.metadata, namespace: "milvus" } },
    ]);
  });
});

describe("readDocuments reports", () => {
  const AT = "k8s/it.yaml, document 1, line 1: ";
  test.each<[string, string, string[]]>([
    [
      "text that isn't YAML, in a later document",
      `${named("a")}---\n${named("b")}data: {\n---\n`,
      ["k8s/it.yaml is not valid YAML at line 8, column 8: unexpected end"],
    ],
    [
      "a key twice",
      `${named("a")}kind: Secret\n`,
      ["k8s/it.yaml is not valid YAML at line 4, column 1: duplicated mapping key"],
    ],
    [
      "integers that would be rounded",
      `${named("a")}spec: {max: 9223372036854775807, least: [1, -9007199254740993], top: 9007199254740991}\n`,
      [`${AT}spec.max, spec.least.1 would be rounded: an integer beyond 9007199254740991 needs quotes`],
    ],
    ["a list at the top", "- a\n", ["k8s/it.yaml must be a YAML map, but holds a list"]],
    ["text", "just text\n", ["k8s/it.yaml must be a YAML map, but holds a string"]],
    [
      "no apiVersion, kind and name",
      "metadata: {}\n",
      [`${AT}apiVersion is missing, kind is missing, metadata.name is missing`],
    ],
    ["no metadata", "apiVersion: v1\nkind: Secret\n", [`${AT}metadata is missing`]],
    [
      "metadata that are none",
      "apiVersion: v1\nkind: Secret\nmetadata: a\n",
      [`${AT}metadata must be a map, but is "a"`],
    ],
    [
      "no metadata at all",
      "apiVersion: v1\nkind: Secret\nmetadata:\n",
      [`${AT}metadata must be a map, but is null`],
    ],
    [
      "an empty name",
      'apiVersion: v1\nkind: Secret\nmetadata: {name: ""}\n',
      [`${AT}metadata.name is empty`],
    ],
    [
      "a name that is a number",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: 5}\n",
      [`${AT}metadata.name must be a string, but is 5`],
    ],
    [
      "an annotation that is a truth value",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {x/y: yes}}\n",
      [`${AT}metadata.annotations.x/y must be a string, but is true`],
    ],
    [
      "a label that is a map",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {x: {}}}\n",
      [`${AT}metadata.labels.x must be a string, but is a map or list`],
    ],
    [
      "a name that would be made up",
      "apiVersion: v1\nkind: Secret\nmetadata: {generateName: a-}\n",
      [`${AT}metadata.name is missing, metadata.generateName would create another object in every run`],
    ],
    [
      "numbers in a Secret, which are not shown",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 12345678, ok: a, none: null}\ndata: {flag: yes}\n",
      [
        `${AT}data.flag must be a string (a number or truth value needs quotes), stringData.pin must be a string (a number or truth value needs quotes)`,
      ],
    ],
    [
      "data of a Secret that are none",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: S3cret\n",
      [`${AT}data must be a map`],
    ],
    [
      "several documents with mistakes",
      `kind: A\n---\n${named("fine")}---\nkind: B\n`,
      [
        `${AT}apiVersion is missing, metadata is missing`,
        "k8s/it.yaml, document 3, line 7: apiVersion is missing, metadata is missing",
      ],
    ],
    [
      "an item of a list",
      "apiVersion: v1\nkind: List\nitems: [{kind: Secret}]\n",
      [`k8s/it.yaml, document 1, line 1, item 1: apiVersion is missing, metadata is missing`],
    ],
  ])("%s", (_, text, mistakes) => {
    const found = read(text).mistakes.map(({ message }) => message);
    expect(found).toHaveLength(mistakes.length);
    for (const [index, mistake] of mistakes.entries()) expect(found[index]).toContain(mistake);
    expect(found.join()).not.toMatch(/12345678|S3cret/);
  });

  test.each([
    ["where the parser stops", `${named("a")}---\na: [\n  b\nc: d\n`, 7],
    ["where the document begins", `${named("a")}---\n# about it\nkind: Secret\n`, 6],
    ["where a document that is a list begins", `${named("a")}---\n- a\n`, 5],
  ])("tells the line, %s", (_, text, line) => {
    expect(read(text).mistakes).toMatchObject([{ path: "k8s/it.yaml", line }]);
  });
});
