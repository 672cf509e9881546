/**
 * Parses the content of GITHUB_OUTPUT or GITHUB_STATE, as @actions/core writes it.
 *
 * @throws Error if it is malformed
 */
export function parseFileCommands(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split("\n");
  for (let line = lines.shift(); line; line = lines.shift()) {
    const [, name, delimiter] = /^(.+?)<<(.+)$/.exec(line) ?? [];
    const end = delimiter === undefined ? -1 : lines.indexOf(delimiter);
    if (name === undefined || end < 0) throw new Error(`"${line}" does not start a value`);
    values[name] = lines.splice(0, end).join("\n");
    lines.shift();
  }
  return values;
}
