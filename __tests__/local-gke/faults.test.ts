import { expect, test } from "vitest";
import { GOOGLE_CELLS, OWN_CELLS } from "../../local-gke/faults/cells.ts";
import { isRight, reliabilityPage } from "../../local-gke/faults/page.ts";
import { SECTIONS } from "../../scripts/troubleshooting-page.ts";

const cells = [...OWN_CELLS, ...GOOGLE_CELLS];
const [cell] = OWN_CELLS;
if (!cell) throw new Error("there are no cells");
const outcome = { ...cell, seen: cell.expected, verdict: 1234, next: "success" };

test("each cell has a namespace of its own", () => {
  expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length);
});

test("an error that a cell expects is in docs/troubleshooting.md", () => {
  const known = SECTIONS.flatMap(({ rows }) => rows.map(({ id }) => id));
  const ends = cells
    .map(({ expected }) => expected)
    .filter((end) => !/^(success|cancelled|killed)$/.test(end));
  expect(ends.filter((end) => !known.includes(end))).toEqual([]);
});

test.each([
  ["both runs end as they should", {}, true],
  ["the run ends otherwise", { seen: "quota" }, false],
  ["the next run fails", { next: "killed" }, false],
])("a cell is right if %s", (_, change, expected) => {
  expect(isRight({ ...outcome, ...change })).toBe(expected);
});

test("the page shows what was seen instead", () => {
  expect(
    reliabilityPage([outcome, { ...outcome, seen: "success" }], [])
      .split("\n")
      .filter((line) => line.startsWith("| somebody")),
  ).toEqual([
    "| somebody deletes the Ingress | Wait for the address | [deleted-meanwhile](troubleshooting.md#deleted-meanwhile) | the same | 1.2s | success |",
    "| somebody deletes the Ingress | Wait for the address | [deleted-meanwhile](troubleshooting.md#deleted-meanwhile) | **success** | 1.2s | success |",
  ]);
});
