import { expect, test } from "vitest";
import { sayOn } from "../../local-gke/say.ts";

/** A stream that keeps what is written to it. */
function aStream(isTTY: boolean) {
  const written: string[] = [];
  return {
    written,
    stream: { isTTY, columns: 20, write: (text: string | Uint8Array) => written.push(String(text)) > 0 },
  };
}

test("outside a terminal progress is plain lines, without a status", () => {
  const { written, stream } = aStream(false);
  const say = sayOn(stream);
  say("downloading");
  expect(say.status).toBeUndefined();
  expect(written).toEqual(["downloading\n"]);
});

test("on a terminal the status stays below the lines, in one row", () => {
  const { written, stream } = aStream(true);
  const say = sayOn(stream);
  say("one");
  say.status?.("412 of 1,930 packages, about 6 min left");
  say("two");
  say.status?.("");
  say("three");
  const row = "412 of 1,930 packag";
  expect(written).toEqual(["one\n", `\r\x1b[2K${row}`, `\r\x1b[2Ktwo\n${row}`, "\r\x1b[2K", "three\n"]);
});
