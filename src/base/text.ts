import { stripVTControlCharacters } from "node:util";

/** If a text is shortened, each line keeps at least this many characters. */
const LONGEST_LINE = 200;

/**
 * Returns a text from elsewhere without what a terminal obeys: escape sequences, and control
 * characters except tabs and line ends.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n\r\u0085]/gu, "");
}

/** Shortens a long text to its first line and its last ones: logs and wrapped errors end with the cause. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const all = text.split("\n");
  const width = Math.max(LONGEST_LINE, Math.floor(longest / all.length) - 1);
  const [first = "", ...rest] = all.map((line) => withoutMiddle(line, width));
  const kept: string[] = [];
  let room = longest - first.length;
  for (const line of rest.toReversed()) {
    room -= line.length + 1;
    if (room < 0) break;
    kept.unshift(line);
  }
  const left = rest.length - kept.length;
  return [first, ...(left > 0 ? [`[${left} lines left out]`] : []), ...kept].join("\n");
}

/** Shortens a line to its beginning and its end. */
export function withoutMiddle(line: string, width: number): string {
  if (line.length <= width) return line;
  const half = Math.floor(width / 2);
  return `${line.slice(0, half)} … ${line.slice(line.length - half)}`;
}
