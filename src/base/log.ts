import { info as print } from "@actions/core";

/**
 * Writes a text to the job's log. The text may quote other programs, and the runner would run any line as a
 * workflow command that begins with `::` or contains `##[` (actions/runner, ActionCommand.TryParseV2 and
 * TryParse).
 */
export function info(text: string): void {
  print(withoutCommands(text));
}

/** Puts a blank into everything that the runner would take for a workflow command. */
export function withoutCommands(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^([\s\u0085]*):(?=:)/, "$1: ").replaceAll("##[", "# #["))
    .join("\n");
}
