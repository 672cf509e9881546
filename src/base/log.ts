import { error, info as print, warning as warn } from "@actions/core";
import { printable, shortened } from "./text.ts";

/** The longest text that the log shows at once: the last lines of a pod's log have 64 KiB at most. */
const LONGEST = 70_000;

/** Heads every annotation: the page of a run lists those of all actions together. */
export const TITLE = "Milvus on GKE";

/**
 * Writes a text to the job's log, shortened if it is very long. The text may quote other programs. The runner
 * would take a line that begins with `::` or contains `##[` for a workflow command (actions/runner,
 * ActionCommand.TryParseV2 and TryParse).
 */
export function info(text: string): void {
  print(withoutCommands(shown(text)));
}

/** Writes a warning to the job's log, which is also an annotation. */
export function warning(text: string): void {
  warn(shown(text), { title: TITLE });
}

/** Writes an error to the job's log, which is also an annotation, and lets the step fail. */
export function fail(text: string): void {
  process.exitCode = 1;
  error(shown(text), { title: TITLE });
}

/** Takes out what a terminal obeys. Shortens the text first, because that takes time in a long text. */
function shown(text: string): string {
  return printable(shortened(text, LONGEST));
}

/** Puts a blank into everything that the runner would take for a workflow command. */
export function withoutCommands(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^([\s\u0085]*):(?=:)/, "$1: ").replaceAll("##[", "# #["))
    .join("\n");
}
