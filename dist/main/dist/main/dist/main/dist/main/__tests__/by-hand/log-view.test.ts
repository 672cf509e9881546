import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { parseFileCommands } from "../../src/by-hand/file-commands.ts";
import { logView } from "../../src/by-hand/log-view.ts";

test.each([
  { line: "Tools: 0.1s", shown: "Tools: 0.1s" },
  { line: "", shown: "" },
  { line: "::group::Look and plan", shown: "▸ Look and plan" },
  { line: "::endgroup::", shown: undefined },
  { line: "::debug::not for the reader", shown: undefined },
  { line: "::error::What%0AWhy: 100%25%0AFix", shown: "Error: What\nWhy: 100%\nFix" },
  { line: "::warning file=a.yml,line=1::odd", shown: "Warning: odd" },
])("the log line $line is shown as $shown", ({ line, shown }) => {
  const text = logView().show(line);
  expect(text === undefined ? undefined : stripVTControlCharacters(text)).toBe(shown);
});

test("logView hides masked values in lines and annotations", () => {
  const { show } = logView();
  expect(show("::add-mask::first%0Asecond")).toBeUndefined();
  expect(show("token first of second")).toBe("token *** of ***");
  show("::add-mask::first-and-more");
  expect(show("token first-and-more")).toBe("token ***");
  expect(stripVTControlCharacters(show("::error::first") ?? "")).toBe("Error: ***");
});

test("logView knows the step that the log is in", () => {
  const view = logView();
  const steps = ["Node.js", "::group::Look and plan", "one", "::endgroup::", "Look and plan: 3s"].map(
    (line) => {
      view.show(line);
      return view.step;
    },
  );
  expect(steps).toEqual([undefined, "Look and plan", "Look and plan", undefined, undefined]);
});

test("parseFileCommands reads multi-line and empty values", () => {
  const text = "a<<EOF_1\none\ntwo\nEOF_1\nb<<EOF_2\n\nEOF_2\nc<<EOF_3\nb<<EOF_2\nEOF_3\n";
  expect(parseFileCommands(text)).toEqual({ a: "one\ntwo", b: "", c: "b<<EOF_2" });
  expect(parseFileCommands("")).toEqual({});
  expect(() => parseFileCommands("a<<EOF\nno end\n")).toThrow("does not start a value");
});
