import { formatDuration } from "../../src/base/duration.ts";
import type { Outcome } from "./matrix.ts";
import type { Trial } from "./trial.ts";

/** Tells whether a run ended as it should, and the next one too. */
export function isRight({ expected, seen, next }: Outcome): boolean {
  return seen === expected && next === "success";
}

function row({ fault, moment, expected, seen, verdict, next }: Outcome): string {
  const when = moment ? moment.source.replace(/^\^::group::/, "") : "before the run";
  const link = (end: string) =>
    /^(success|cancelled|killed)$/.test(end) ? end : `[${end}](troubleshooting.md#${end})`;
  const cells = [fault, when, link(expected), seen === expected ? "the same" : `**${seen}**`];
  return `| ${[...cells, formatDuration(verdict), next].join(" | ")} |`;
}

/** The head of {@link trialRows}. */
export const TRIAL_HEAD = ["fault", "moment", "Helm", "expected", "seen", "after"];

/** Returns a row of texts for each disturbance. */
export function trialRows(trials: readonly Trial[]): string[][] {
  return trials.map(
    ({ disturbance: { fault, moment, helms, expected }, helm, seen, milliseconds, wrong }) => {
      const found = wrong.length > 0 ? `WRONG: ${wrong.map(firstLine).join("; ")}` : general(seen);
      const version = helms.length > 1 ? helm.replace("helm", "") : "any";
      const after = milliseconds === undefined ? "" : formatDuration(milliseconds);
      return [fault, moment, version, expected.title, found, after];
    },
  );
}

/** Takes out what differs from run to run and from machine to machine. */
function general(text: string): string {
  return text
    .replaceAll(/\/(?:[\w.@+-]+\/)+[\w.@+-]*/g, (path) => path.replace(/^.*\/(?=.)/, "…/"))
    .replaceAll(/cell-\d+-helm\d/g, "NAMESPACE");
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? text;
}

function markdownRow(texts: readonly string[]): string {
  return `| ${texts.map((text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")).join(" | ")} |`;
}

/** Returns docs/reliability.md. */
export function reliabilityPage(outcomes: readonly Outcome[], trials: readonly Trial[]): string {
  return `<!-- Written by \`npm run faults\`: what happened when each fault last ran. -->
# Reliability

Every fault ends a run with success or with one error that says why, and the next run makes it good. \`npm run faults\` lets runs meet
faults on a [local GKE](local-gke.md) and writes this table. The time is that from the fault to the end of the run, on two
processors; a limit that a run was given (15 seconds for the address and for backends) is part of it.

| fault | moment | expected | seen | after | next run |
| --- | --- | --- | --- | --- | --- |
${outcomes.map(row).join("\n")}

## Connections, programs and the runner

Each fault meets a release of its own, with \`recover_pending: 1s\` and \`keep_layer4: false\`. A row is right if the run ends as
expected, with one error at most, and leaves no \`pending-*\` release; and if the next run succeeds with all of the release's values.
The API server is killed as its clients see it: a proxy in front of it refuses connections.

${[TRIAL_HEAD, TRIAL_HEAD.map(() => "---"), ...trialRows(trials)].map(markdownRow).join("\n")}
`;
}
