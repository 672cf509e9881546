import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseGoJson } from "../../local-gke/ingress/go-json.ts";

describe("parseGoJson", () => {
  test.each([
    ["", "unexpected end of JSON input"],
    ['{"milvus":"HTTP2"', "unexpected end of JSON input"],
    ['{"milvus":HTTP2}', "invalid character 'H' looking for beginning of value"],
    ["{milvus:HTTP2}", "invalid character 'm' looking for beginning of object key string"],
    ["{'milvus':'HTTP2'}", "invalid character '\\'' looking for beginning of object key string"],
    ['{"milvus" "HTTP2"}', "invalid character '\"' after object key"],
    ['{"milvus":"HTTP2";}', "invalid character ';' after object key:value pair"],
    ['{"milvus":"HTTP2",}', "invalid character '}' looking for beginning of object key string"],
    ['{"milvus":"HTTP2"}}', "invalid character '}' after top-level value"],
    ['["a" "b"]', "invalid character '\"' after array element"],
    ["tru", "unexpected end of JSON input"],
    ["trux", "invalid character 'x' in literal true (expecting 'e')"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12x4"', "invalid character 'x' in \\u hexadecimal character escape"],
    ["-x", "invalid character 'x' in numeric literal"],
  ])("rejects %j: %s", (text, message) => {
    expect(() => parseGoJson(text)).toThrow(message);
  });

  test("parses any JSON", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseGoJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("terminates with an error on any malformed text", () => {
    const isJson = (text: string) => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 1 }))
      .map(([text, at, character]) => {
        const index = at % (text.length + 1);
        return text.slice(0, index) + character + text.slice(index + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        fc.pre(!isJson(text));
        expect(() => parseGoJson(text)).toThrow(/^(invalid character|unexpected end)/);
      }),
    );
  });
});
