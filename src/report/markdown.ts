/** Returns a Markdown table. Cells may have any text: pipes are escaped, line ends become blanks. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replace(/[\r\n]+/g, " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Returns a text as inline code. */
export function code(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}

/** Escapes a text from elsewhere, so that it makes no link, image, HTML, emphasis, formula or heading. */
export function plain(text: string): string {
  return text.replace(/[\r\n]+/g, " ").replace(/[\\`<[*$]/g, "\\$&");
}

/** Returns a code block. Its fence is longer than any in the text, so that the text can't close it. */
export function fence(text: string, language: string): string {
  let longest = 2;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  const marks = "`".repeat(longest + 1);
  return `${marks}${language}\n${text}\n${marks}`;
}

/** Returns a box that GitHub colours by its kind. */
export function alert(kind: "CAUTION" | "IMPORTANT", lines: readonly string[]): string {
  return [`> [!${kind}]`, ...lines.map((line) => `> ${line}`)].join("\n");
}

/** Returns a part that a click opens. */
export function fold(title: string, body: string): string {
  return `<details><summary>${title}</summary>\n\n${body}\n</details>`;
}
