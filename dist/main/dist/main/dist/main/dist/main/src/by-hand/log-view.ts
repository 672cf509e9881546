import { styleText } from "node:util";

/** Formats the log of an action for a terminal as GitHub's web page does. */
export interface LogView {
  /** Formats one line of the log. Undefined if the line is hidden. */
  show(line: string): string | undefined;
  /** Hides the texts in a text that the log has asked to mask. */
  masked(text: string): string;
  /** The step that the log is in. Undefined between two steps. */
  step: string | undefined;
}

type Style = Parameters<typeof styleText>[0];

const NOTES: Record<string, Style> = { error: "red", warning: "yellow", notice: "cyan" };

/** @param stream where it is shown, which may have colours or not */
export function logView(stream: NodeJS.WriteStream = process.stdout): LogView {
  const secrets = new Set<string>();
  const masked = (text: string) => {
    // The longest first: a shorter one may be a part of it.
    const longestFirst = [...secrets].sort((one, other) => other.length - one.length);
    return longestFirst.reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
  };
  const view: LogView = {
    masked,
    step: undefined,
    show(line) {
      const [, command, message = ""] = /^::([\w-]+)(?: [^:]*)?::(.*)$/.exec(line) ?? [];
      if (command === undefined) return masked(line);
      const text = decoded(message);
      if (command === "group") {
        view.step = masked(text);
        return styleText("bold", `▸ ${view.step}`, { stream });
      }
      if (command === "endgroup") view.step = undefined;
      const style = NOTES[command];
      if (style) return styleText(style, masked(`${capitalized(command)}: ${text}`), { stream });
      // Masks each line of a multi-line secret, too.
      if (command === "add-mask") for (const secret of [text, ...text.split("\n")]) addTo(secrets, secret);
      return undefined;
    },
  };
  return view;
}

function addTo(secrets: Set<string>, secret: string): void {
  if (secret.trim() !== "") secrets.add(secret);
}

/** Unescapes the message of a workflow command (actions/toolkit, packages/core/src/command.ts). */
function decoded(message: string): string {
  return message.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
