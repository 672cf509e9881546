import fc from "fast-check";
import { dump, load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { ActionError } from "../../src/base/errors.ts";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { mergeValues, valueAt } from "../../src/helm/values.ts";
import { withoutTls, withTls } from "../../src/milvus/user-yaml.ts";

const ALL = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n";

describe("withTls sets what is needed", () => {
  test.each<[string, string | undefined, string]>([
    ["no user.yaml", undefined, ALL],
    ["an empty one", "", ALL],
    ["null", "~\n", ALL],
    ["empty maps", "common:\nproxy:\n  http:\n", ALL],
    ["nulls in other notations", "common: null\nproxy: ~\n", ALL],
    ["TLS switched off", "common:\n  security:\n    tlsMode: 0\n", ALL],
    ["a tlsMode that is no scalar", "common:\n  security:\n    tlsMode: {}\n", ALL],
    ["only comments", "# mine\n", `# mine\n\n${ALL}`],
    ["a document marker", "---\na: 1\n", `---\na: 1\n${ALL}`],
    ["a YAML version", "%YAML 1.1\n---\na: 0755\n", `%YAML 1.1\n---\na: 0755\n${ALL}`],
    ["CRLF", "common:\r\n  security:\r\n    tlsMode: 0\r\n", ALL],
    [
      "settings beside it",
      "common:\n  security:\n    authorizationEnabled: true\nproxy:\n  maxNameLength: 255\n",
      "common:\n  security:\n    authorizationEnabled: true\n    tlsMode: 1\nproxy:\n  maxNameLength: 255\n  http:\n    port: 8080\n",
    ],
    [
      "flow maps",
      "common: {security: {tlsMode: 0}}\n",
      "common: { security: { tlsMode: 1 } }\nproxy:\n  http:\n    port: 8080\n",
    ],
    [
      "comments and order",
      "# head\nproxy: # p\n  # below\n  http:\n    enabled: true # on\n\n# between\ncommon:\n  security: # s\n    superUsers: root\n# tail\n",
      "# head\nproxy:\n  # p\n  # below\n  http:\n    enabled: true # on\n    port: 8080\n\n# between\ncommon:\n  security:\n    # s\n    superUsers: root\n    tlsMode: 1\n\n# tail\n",
    ],
    [
      "only the HTTP port is missing",
      "common: { security: { tlsMode: 1 } }\n",
      "common: { security: { tlsMode: 1 } }\nproxy:\n  http:\n    port: 8080\n",
    ],
    [
      "an HTTP port of null",
      "common: { security: { tlsMode: 1 } }\nproxy:\n  http:\n    port:\n",
      "common: { security: { tlsMode: 1 } }\nproxy:\n  http:\n    port: 8080\n",
    ],
    [
      "HTTP is off: it needs no port",
      "proxy:\n  http:\n    enabled: false\n",
      "proxy:\n  http:\n    enabled: false\ncommon:\n  security:\n    tlsMode: 1\n",
    ],
  ])("%s", (_, before, after) => {
    expect(withTls(before)).toBe(after);
    expect(withTls(after)).toBe(after);
  });

  test("scalars stay as they are written", () => {
    const scalars = [
      "mode: 0755",
      "hex: 0x1F",
      "exponent: 1e3",
      "big: 123456789012345678901234567890",
      "fine: 0.1000000000000000055511151231257827",
      "under: 1_000",
      "yes: yes",
      "time: 12:30",
      "date: 2001-01-01",
      `quoted: "0755"`,
      "single: 'it''s'",
      "none:",
      "tilde: ~",
      "block: |\n  a\n   b\n\n  c",
      `long: ${"word ".repeat(60)}end`,
      "anchor: &a x",
      "alias: *a",
      "tagged: !custom y",
      "unicode: ключ 🐟",
    ];
    const text = `${scalars.join("\n")}\n`;
    expect(withTls(text)).toBe(`${text}${ALL}`);
  });
});

describe("withTls changes a setting in place, in any spelling", () => {
  const REST = "proxy: { http: { enabled: false } }\n";
  test.each([
    [`common.security.tlsMode: 0\n${REST}`, `common.security.tlsMode: 1\n${REST}`],
    [
      `Common:\n  Security:\n    tlsmode: 0 # why\n${REST}`,
      `Common:\n  Security:\n    tlsmode: 1 # why\n${REST}`,
    ],
    [
      `x: &x 0\ncommon:\n  security:\n    tlsMode: *x\n${REST}`,
      `x: &x 0\ncommon:\n  security:\n    tlsMode: 1\n${REST}`,
    ],
  ])("%j", (text, expected) => {
    expect(withTls(text)).toBe(expected);
    expect(withoutTls(expected, text)).toBe(text);
  });
});

describe("withTls returns a text that needs no change exactly as it is", () => {
  test.each([
    "common.security.tlsMode: 1\nproxy.http.port: 8080\n",
    "common: {security: {tls_mode: 1}}\nproxy: {http: {enabled: no}}\n",
    'common: {security: {tlsMode: 1}}\nproxy: {http: {enabled: "no"}}\n',
    "common: {security: {tlsMode: 1}}\nproxy: {http: {enabled: 0, port: 19530}}\n",
    "common:   {security:   {tlsMode:   1}}\nproxy: {http: {port: 9999}}   # odd",
    'common: {security: {tlsMode: "1"}}\nproxy: {http: {enabled: False}}',
    "common:\r\n    security:\r\n        tlsMode: 1\r\nproxy:\r\n    http:\r\n        port: 8080\r\n",
    "proxy: {port: 19531, http: {port: 19530}}\ncommon: {security: {tlsMode: 1}}\n",
  ])("%j", (text) => {
    expect(withTls(text)).toBe(text);
  });
});

describe("withTls refuses", () => {
  test.each([
    ["a: b: c", "is not valid YAML at line 1, column 4: Nested mappings"],
    ["a: 1\nb: [1\nc: 2\n", "is not valid YAML at line 3, column "],
    ["a: 1\n\ttab: 1\n", "is not valid YAML at line 2, column 1"],
    ["a: 1\na: 2\n", "is ambiguous at line 2, column 1.\nWhy: a key is there twice"],
    ["a: 1\n---\nb: 2\n", "is ambiguous at line 2, column 1.\nWhy: another document begins"],
    ["a: *b\n", "uses an alias that it doesn't define"],
    ["a: |S3cret\n", "is not valid YAML at line 1, column 5: Block scalar header includes extra characters."],
    ["a: !S3c!ret\n", "is not valid YAML at line 1, column 4: Could not resolve tag."],
    ["- a\n", "is not a map"],
    ["tlsMode=1", "is not a map"],
    ['"null"', "is not a map"],
    ["common: on\n", "has common as a plain value instead of a map"],
    ["common:\n  security: [1]\n", "has common.security as a plain value instead of a map"],
    ["proxy:\n  http: 'null'\n", "has proxy.http as a plain value instead of a map"],
    ["common: {security: {tlsMode: 2}}\n", "has common.security.tlsMode: 2 (mutual TLS)"],
    ['common: {security: {tlsMode: "2"}}\n', "has common.security.tlsMode: 2 (mutual TLS)"],
    ["proxy: {http: {port: 19530}}\n", "has proxy.http.port: 19530, the port of Milvus's gRPC server"],
    [
      "proxy: {port: 8080, http: {port: 8080}}\n",
      "has proxy.http.port: 8080, the port of Milvus's gRPC server",
    ],
    ["common.security.tlsMode: 2\n", "has common.security.tlsMode: 2 (mutual TLS)"],
    ["common: { security: { tls_mode: 2 } }\n", "has common.security.tlsMode: 2 (mutual TLS)"],
    ["x: &x 2\ncommon: { security: { tlsMode: *x } }\n", "has common.security.tlsMode: 2 (mutual TLS)"],
    ["Proxy: { HTTP: { Port: 19530 } }\n", "has proxy.http.port: 19530, the port of Milvus's gRPC server"],
    [
      "common: { security: { tlsMode: 0, tlsmode: 1 } }\n",
      'sets common.security.tlsMode more than once: "common": "security": "tlsMode", "common": "security": "tlsmode".',
    ],
    [
      "proxy.http.port: 8443\nproxy: { http: { port: 8080 } }\ncommon: { security: { tlsMode: 1 } }\n",
      'sets proxy.http.port more than once: "proxy.http.port", "proxy": "http": "port".',
    ],
    ["common: { security: { tlsMode: &x 0 } }\nother: *x\n", "has a YAML anchor at common.security.tlsMode"],
    ["x: &x {}\ncommon: *x\n", "has a YAML alias at common"],
    ["x: &x {security: {}}\ncommon: {<<: *x}\n", "has a YAML alias at common"],
    ["x: &x {enabled: false}\nproxy:\n  http: {<<: *x}\n", "has a YAML alias at proxy.http"],
  ])("%j", (text, message) => {
    expect(() => withTls(text)).toThrow(ActionError);
    expect(() => withTls(text)).toThrow(`The release's extraConfigFiles."user.yaml" ${message}`);
    expect(() => withTls(text)).toThrow("What to do: ");
  });
});

describe("withTls on random texts", () => {
  /**
   * Texts of settings, with those that matter here often among them, as a library writes them in some style.
   */
  const { tree } = fc.letrec<{ tree: YamlMap; node: unknown }>((tie) => ({
    tree: fc.dictionary(
      fc.oneof(
        fc.constantFrom("common", "security", "proxy", "http", "tlsMode", "port", "enabled"),
        // Milvus takes no notice of a name without letters.
        fc.string().map((name) => `x${name}`),
      ),
      tie("node"),
      { maxKeys: 5 },
    ),
    node: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, "", 0, 1, 2, "1", true, false, "false", 19530),
      tie("tree"),
      tie("tree"),
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.array(tie("node"), { maxLength: 3 }),
    ),
  }));
  const text = fc
    .tuple(tree, fc.constantFrom(-1, 0, 1, 2), fc.constantFrom(2, 4, 7), fc.boolean())
    .map(([value, flowLevel, indent, seqNoIndent]) => dump(value, { flowLevel, indent, seqNoIndent }));

  function attempt(before: string): string | undefined {
    try {
      return withTls(before);
    } catch (error) {
      if (error instanceof ActionError) return undefined;
      throw error;
    }
  }

  test("keeps all settings, sets what is needed, and changes nothing the second time", () => {
    fc.assert(
      fc.property(text, (before) => {
        const after = attempt(before);
        fc.pre(after !== undefined);
        const was = parse(before);
        const is = parse(after);
        expect(String(valueAt(is, "common", "security", "tlsMode"))).toBe("1");
        const http = { ...asMap(valueAt(is, "proxy", "http")) };
        if (new Set<unknown>([undefined, true, 1, "1"]).has(http.enabled))
          expect(http.port ?? "").not.toBe("");
        const ours = {
          common: { security: { tlsMode: valueAt(is, "common", "security", "tlsMode") } },
          proxy: { http: { port: http.port } },
        };
        if (http.port === undefined) expect(is).toEqual(mergeValues(was, { common: ours.common }));
        else expect(is).toEqual(mergeValues(was, ours));
        expect(withTls(after)).toBe(after);
      }),
      { numRuns: 500 },
    );
  });

  test("either refuses a text with an ActionError or returns a map", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab:-? \n\t#&*!|>'\"%@`{}[],~<=0"), maxLength: 30 }),
        (before) => {
          const after = attempt(before);
          if (after === undefined) return;
          expect(isMap(parseDocument(after).toJS())).toBe(true);
          expect(withTls(after)).toBe(after);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("withoutTls removes what withTls set", () => {
  test.each<[string, string | undefined]>([
    ["no user.yaml", undefined],
    ["an empty one", ""],
    ["comments and order", "# head\nproxy: # p\n  http:\n    enabled: true # on\n\n# between\ncommon: {}\n"],
    ["CRLF", "common:\r\n  security:\r\n    tlsMode: 0\r\n"],
    ["flow maps", "common: {security: {tlsMode: 0}}\n"],
    ["TLS that was on already", "common:\n  security:\n    tlsMode: 1\nproxy: {http: {port: 9999}}\n"],
    ["REST switched off", "proxy:\n  http:\n    enabled: false\n"],
  ])("to the letter when nothing else has changed: %s", (_, before) => {
    expect(withoutTls(withTls(before), before)).toBe(before);
  });

  test.each<[string, string, string | undefined, string | undefined]>([
    [
      "an edit stays, with its comment",
      `${ALL}log:\n  level: debug # loud\n`,
      undefined,
      "log:\n  level: debug # loud\n",
    ],
    [
      "a key beside ours stays",
      "common:\n  security:\n    tlsMode: 1\n    superUsers: root\n",
      "",
      "common:\n  security:\n    superUsers: root\n",
    ],
    ["scalars stay as they are written", `${ALL}mode: 0755\nno: "0"\n`, undefined, 'mode: 0755\nno: "0"\n'],
    ["our keys in another notation", "{common: {security: {tlsMode: 1}}, a: 1}\n", undefined, "{ a: 1 }\n"],
    [
      "the former mode comes back",
      `${ALL}a: 1\n`,
      "common: {security: {tlsMode: 0}}\n",
      "common:\n  security:\n    tlsMode: 0\na: 1\n",
    ],
    ["nothing but ours is left", ALL, "a: 1\n", "a: 1\n"],
    [
      "nothing but ours is left, in another notation",
      "common: {security: {tlsMode: 1}}\n",
      undefined,
      undefined,
    ],
    [
      "a port that was set since stays",
      "common: { security: { tlsMode: 1 } }\nproxy: { http: { port: 9999 } }\n",
      undefined,
      "proxy: { http: { port: 9999 } }\n",
    ],
    [
      "mutual TLS comes back",
      ALL,
      "common:\n  security:\n    tlsMode: 2\n",
      "common:\n  security:\n    tlsMode: 2\n",
    ],
    ["the former text could not be read", `${ALL}a: 1\n`, "common: [", "a: 1\n"],
    ["a text that can't be read is nobody's to change", "common: [", "a: 1\n", "common: ["],
    ["what the user has taken away stays away", "a: 1\n", undefined, "a: 1\n"],
  ])("%s", (_, text, before, after) => {
    expect(withoutTls(text, before)).toBe(after);
  });
});

function parse(text: string): YamlMap {
  return asMap(load(text));
}

function asMap(value: unknown): YamlMap {
  return isMap(value) ? value : {};
}
