import { alert, fence, plain } from "./markdown.ts";

/** Where the parts of an ActionError's message begin, and the address of its explanation in the log. */
const PARTS = /\n(?=(?:Why|What to do|More): )/;
/** The beginnings that turn a line into a heading, a list, a quote or a table. */
const STARTS = /^[#>+=~|-]|^\d+(?=[.)])/;

/**
 * Returns the error that ended a run as Markdown: prose that wraps, and evidence of several lines as it is.
 *
 * @param explanation where the error is explained
 */
export function failureParts(failure: string, explanation: string | undefined): string[] {
  const [what = "", ...others] = failure.split(PARTS);
  const [first = "", ...more] = what.split("\n");
  return [
    alert("CAUTION", [plain(first)]),
    ...more.flatMap(prose),
    ...others.filter((part) => !part.startsWith("More: ")).flatMap(labelled),
    // A path leads nowhere from the job's page.
    ...(explanation && /^https?:/.test(explanation) ? [`[Cause and remedy](<${explanation}>)`] : []),
  ];
}

function labelled(part: string): string[] {
  const [line = "", ...more] = part.split("\n");
  const [, label, text = ""] = /^(.*?): (.*)$/.exec(line) ?? [];
  const rest = label === "Why" ? evidence(more) : more.flatMap(prose);
  return [`**${label}:** ${plain(text)}`, ...rest];
}

function evidence(lines: readonly string[]): string[] {
  return lines.length > 0 ? [fence(lines.join("\n"), "text")] : [];
}

/** Returns a line of this action's own as a paragraph or an item of a list. */
function prose(line: string): string[] {
  const [, item, text = ""] = /^\s*(- )?(.*)$/.exec(line) ?? [];
  if (text === "") return [];
  const safe = plain(text).replace(STARTS, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`));
  return [`${item ?? ""}${safe}`];
}
