import { formatDuration } from "../../src/base/duration.ts";
import type { Outcome } from "./matrix.ts";

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

/** Returns docs/reliability.md. */
export function reliabilityPage(outcomes: readonly Outcome[]): string {
  return `<!-- Written by \`npm run faults\`: what happened in its last run. -->
# Reliability

Every fault ends a run with success or with one error that says why, and the next run makes it good. \`npm run faults\` lets runs meet
faults on a [local GKE](local-gke.md) and writes this table. The time is that from the fault to the end of the run, on two
processors; a limit that a run was given (15 seconds for the address and for backends) is part of it.

| fault | moment | expected | seen | after | next run |
| --- | --- | --- | --- | --- | --- |
${outcomes.map(row).join("\n")}
`;
}
