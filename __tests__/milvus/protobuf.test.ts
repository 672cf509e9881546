import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fieldsOf, textsOf } from "../../src/milvus/protobuf.ts";

/** A message with every kind of field: 1 is 150, 2 is "testing", 3 and 4 have a fixed length, 2 is "again". */
const MESSAGE = Buffer.concat([
  Buffer.from([0x08, 0x96, 0x01]),
  Buffer.from([0x12, 0x07]),
  Buffer.from("testing"),
  Buffer.from([0x19, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0x25, 1, 2, 3, 4]),
  Buffer.from([0x12, 0x05]),
  Buffer.from("again"),
]);

describe("a protobuf message", () => {
  test("is read field by field", () => {
    const fields = [...fieldsOf(MESSAGE)];
    expect(fields).toEqual([
      { number: 1, value: 150n },
      { number: 2, value: Buffer.from("testing") },
      { number: 2, value: Buffer.from("again") },
    ]);
    expect(textsOf(fields, 2)).toEqual(["testing", "again"]);
    expect(textsOf(fields, 1)).toEqual([]);
  });

  test("may have large numbers and numbers of fields", () => {
    const largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    expect([...fieldsOf(Buffer.from([0xf8, 0xff, 0xff, 0xff, 0x0f, ...largest]))]).toEqual([
      { number: 2 ** 29 - 1, value: 2n ** 64n - 1n },
    ]);
  });

  test.each([
    ["a number", [0x08, 0x96]],
    ["a text", [0x12, 0x07, 0x74]],
    ["a field of fixed length", [0x25, 1, 2, 3]],
    ["a key", [0x80]],
  ])("that ends within %s is refused", (_, bytes) => {
    expect(() => [...fieldsOf(Buffer.from(bytes))]).toThrow(RangeError);
  });

  test("is never read past its end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          for (const { value } of fieldsOf(Buffer.from(bytes))) {
            if (Buffer.isBuffer(value)) expect(value.length).toBeLessThan(bytes.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
