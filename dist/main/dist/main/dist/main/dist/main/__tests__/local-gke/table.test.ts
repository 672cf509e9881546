import { expect, test } from "vitest";
import { table } from "../../local-gke/table.ts";

test("table aligns text left and numbers right", () => {
  expect(
    table([
      ["name", "10 s"],
      ["n", "1 s"],
    ]),
  ).toBe("name  10 s\nn      1 s");
});
