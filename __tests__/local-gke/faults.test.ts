import { expect, test } from "vitest";
import { titleOf } from "../../local-gke/faults/cell.ts";
import { CELLS } from "../../local-gke/faults/cells.ts";
import { describeDetection, detectionIn, reliabilityPage } from "../../local-gke/faults/page.ts";
import { endOf, type Outcome, problemsOf } from "../../local-gke/faults/run-cell.ts";
import { SECTIONS } from "../../scripts/troubleshooting-page.ts";

const SUCCEEDED = { exitCode: 0, errors: [], log: [], failed: undefined };
const DISK_FULL = "The runner's disk is full.\nMore: docs/troubleshooting.md#disk-full";
const FAILED = { exitCode: 1, errors: [DISK_FULL], log: [], failed: 1 };
const CANCELLED = "The job was cancelled (SIGTERM). It was in step: Look and plan. Nothing was changed.";

const cell = CELLS.find(({ shownBy }) => shownBy);
if (!cell) throw new Error("no cell has a lasting fault");
const outcome: Outcome = {
  cell,
  helm: "helm4",
  seen: cell.expected[0],
  next: "success",
  verdict: 1234,
  detection: 70,
  wrong: [],
  log: [],
  spent: { install: 0, run: 0, nextRun: 0 },
};

test("each cell has a name of its own", () => {
  expect(new Set(CELLS.map(titleOf)).size).toBe(CELLS.length);
});

test("an error that a cell expects is in docs/troubleshooting.md", () => {
  const known = SECTIONS.flatMap(({ rows }) => rows.map(({ id }) => id));
  const ends = CELLS.flatMap(({ expected }) => expected).filter(
    (end) => !/^(success|cancelled|killed)$/.test(end),
  );
  expect(ends.filter((end) => !known.includes(end))).toEqual([]);
});

test.each([
  ["success", SUCCEEDED],
  ["disk-full", FAILED],
  ["cancelled", { ...FAILED, errors: [CANCELLED] }],
  ["killed", { ...FAILED, errors: [] }],
  ["2 errors", { ...FAILED, errors: [DISK_FULL, DISK_FULL] }],
  ["an error without a row", { ...FAILED, errors: ["Something else."] }],
  ["an error, and success", { ...FAILED, exitCode: 0 }],
])("the end of a run: %s", (end, run) => {
  expect(endOf(run)).toBe(end);
});

test.each([
  ["as expected", SUCCEEDED, "success", []],
  ["otherwise", FAILED, "success", [`it ended with disk-full: ${DISK_FULL}`]],
  [
    "with a stack trace",
    { ...FAILED, log: ["    at write (node:fs:10:2)"] },
    "disk-full",
    ["it printed a stack trace: at write (node:fs:10:2)"],
  ],
])("a run that ends %s", (_, run, expected, problems) => {
  expect(problemsOf(run, [expected])).toEqual(problems);
});

/** Returns the last row of the page with one outcome. */
function rowOn(page: string): string | undefined {
  return page.trimEnd().split("\n").at(-1);
}

test("the page links to the error's row, and shows what was seen instead", () => {
  const id = cell.expected[0];
  const fault = `| ${cell.fault} | ${cell.moment} | any | [${id}](troubleshooting.md#${id})`;
  expect(rowOn(reliabilityPage([outcome]))).toBe(`${fault} | the same | 1.2s | success |`);
  const wrong = ["it ended with success"];
  expect(rowOn(reliabilityPage([{ ...outcome, wrong }]))).toBe(
    `${fault} | WRONG: it ended with success | 1.2s | success |`,
  );
});

test("the page has no path of the machine and no name of a test's namespace", () => {
  const wrong = ["it ended with no-address: cell-3-helm4/my-release; see /tmp/job-1/temp/file | <x>"];
  expect(rowOn(reliabilityPage([{ ...outcome, wrong }]))).toContain(
    "no-address: NAMESPACE/my-release; see …/file \\| &lt;x>",
  );
});

test("only a lasting fault that ended its run counts as detected", () => {
  const missed = { ...outcome, detection: undefined, wrong: ["it succeeded"] };
  const { shownBy: _, ...passingCell } = cell;
  const passing = { ...outcome, cell: passingCell, detection: undefined };
  const times = [70, 5000, 90].map((detection) => ({ ...outcome, detection }));
  const detection = detectionIn([...times, missed, passing]);
  expect(detection).toEqual({ cells: 4, detected: 3, median: 90, longest: 5000 });
  expect(describeDetection(detection)).toContain("In 4 rows an event shows the lasting fault. In 3 of them");
});
