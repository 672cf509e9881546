import { formatDuration } from "../../src/base/duration.ts";
import type { Outcome } from "./run-cell.ts";

/** The head of {@link rowOf}. */
export const HEAD = ["fault", "moment", "Helm", "expected", "seen", "after", "next run"];

/**
 * Returns a row of the table.
 *
 * @param nameOf names an end of a run
 */
export function rowOf(outcome: Outcome, nameOf: (end: string) => string = (end) => end): string[] {
  const { cell, helm, seen, verdict, next, wrong } = outcome;
  const isOnly = cell.expected.length === 1 && seen === cell.expected[0];
  return [
    cell.fault,
    cell.moment,
    cell.helms.length > 1 ? helm.replace("helm", "") : "any",
    cell.expected.map(nameOf).join(" or "),
    wrong.length > 0 ? `WRONG: ${wrong.map(firstLine).join("; ")}` : isOnly ? "the same" : nameOf(seen),
    verdict === undefined ? "" : formatDuration(verdict),
    next,
  ];
}

/** How soon runs end after the event that shows a lasting fault. */
export interface Detection {
  /** Cells whose fault an event shows. */
  cells: number;
  /** Cells in which that fault ended the run. */
  detected: number;
  /** Milliseconds; undefined without cells. */
  median: number | undefined;
  longest: number | undefined;
}

/** Returns how fast runs reported the faults that last. */
export function detectionIn(outcomes: readonly Outcome[]): Detection {
  const lasting = outcomes.filter(({ cell }) => cell.shownBy !== undefined);
  const times = lasting.flatMap(({ detection, wrong }) =>
    detection === undefined || wrong.length > 0 ? [] : [detection],
  );
  const sorted = times.toSorted((a, b) => a - b);
  return {
    cells: lasting.length,
    detected: times.length,
    median: sorted[Math.floor((sorted.length - 1) / 2)],
    longest: sorted.at(-1),
  };
}

/** Returns a sentence on how soon lasting faults end their runs. */
export function describeDetection({ cells, detected, median = 0, longest = 0 }: Detection): string {
  if (cells === 0) return "No row has a lasting fault that an event shows.";
  const times = `median ${formatDuration(median)}, longest ${formatDuration(longest)}`;
  return `In ${cells} rows an event shows the lasting fault. In ${detected} of them the fault ended the run. The time from the event to that end: ${times}.`;
}

/** Returns docs/reliability.md. */
export function reliabilityPage(outcomes: readonly Outcome[]): string {
  const head = [HEAD, HEAD.map(() => "---")].map(markdownRow);
  const rows = outcomes.map((outcome) => markdownRow(rowOf(outcome, linkTo)));
  return `<!-- Written by \`npm run faults\`: what happened when each fault last ran. -->
# Reliability

Every fault ends a run with success or with one error that says why, and the next run makes it good. \`npm run faults\` lets runs meet
faults on a [local GKE](local-gke.md) and writes this table.

Each fault meets a release of its own, with \`recover_pending: 1s\` and \`keep_layer4: false\`. A row is right if the run ends as
expected, with one error at most, and leaves no \`pending-*\` release unless it was killed; and if the next run succeeds with all of the
release's values. The time is that from the fault to the end of the run, on two processors; a limit that a run was given is part of it.

${describeDetection(detectionIn(outcomes))} A Warning counts once Google's controller repeats it after
five seconds: a single one may come from an attempt that began before the cause was mended.

${[...head, ...rows].join("\n")}
`;
}

function linkTo(end: string): string {
  return /^[a-z0-9-]+$/.test(end) && !/^(success|cancelled|killed)$/.test(end)
    ? `[${end}](troubleshooting.md#${end})`
    : end;
}

/** Takes out what differs from run to run and from machine to machine. */
function general(text: string): string {
  return text
    .replaceAll(/\/(?:[\w.@+-]+\/)+[\w.@+-]*/g, (path) => path.replace(/^.*\/(?=.)/, "…/"))
    .replaceAll(/cell-\d+-helm\d/g, "NAMESPACE");
}

function firstLine(text: string): string {
  return general(text.split("\n")[0] ?? text);
}

function markdownRow(texts: readonly string[]): string {
  return `| ${texts.map((text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")).join(" | ")} |`;
}
