import { expect, test } from "vitest";
import { mistakesError } from "../../src/base/mistakes.ts";

test("mistakesError lists all mistakes, and annotates those in files of the workspace", () => {
  const mistakes = [
    "host is required",
    { message: "a.yaml is no map", path: "k8s/a.yaml", line: 3 },
    { message: "b.yaml is no map", path: "/elsewhere/b.yaml", line: 1 },
    { message: "c.yaml is no map", path: "/work/c.yaml", line: 2 },
  ];
  const error = mistakesError("Not usable.", mistakes, { workspace: "/work", fix: "mend it." });
  expect(error.message).toBe(
    "Not usable.\n- host is required\n- a.yaml is no map\n- b.yaml is no map\n- c.yaml is no map\nWhat to do: mend it.",
  );
  expect(error.annotations).toEqual([
    { file: "k8s/a.yaml", line: 3, message: "a.yaml is no map" },
    { file: "c.yaml", line: 2, message: "c.yaml is no map" },
  ]);
  expect(mistakesError("Not usable.", mistakes, {}).annotations).toEqual([]);
});

test("mistakesError says how many more there are, and shortens long ones", () => {
  const { message } = mistakesError("Not usable.", ["x".repeat(100_000), ..."y".repeat(9999)], {});
  const lines = message.split("\n");
  expect(lines).toHaveLength(22);
  expect(lines[1]?.length).toBeLessThan(510);
  expect(lines.at(-1)).toBe("- 9980 more");
});
