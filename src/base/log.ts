import { info as print } from "@actions/core";

/**
 * Writes a text to the job's log. Most of what is written there are words of others, and the runner takes a line for a
 * command of this step's that begins with `::`, or has `##[` anywhere in it (actions/runner, ActionCommand.TryParseV2
 * and TryParse).
 */
export function info(text: string): void {
  print(withoutCommands(text));
}

/** Returns a text that the runner prints as it is: in what it would take for a command a blank is put. */
export function withoutCommands(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^([\s\u0085]*):(?=:)/, "$1: ").replaceAll("##[", "# #["))
    .join("\n");
}
