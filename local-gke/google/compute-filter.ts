/** Thrown for an expression that is none. */
export class FilterError extends Error {}

const COMPARISON =
  /^\s*(?:AND\s+)?\(?\s*([A-Za-z.]+)\s*(=|!=|\beq\b|\bne\b)\s*(?:"([^"]*)"|([^\s()"]+))\s*\)?/;

/**
 * Returns what the `filter` of a Compute list keeps: resources that meet all of its comparisons. `=` and `!=` compare
 * whole values, `eq` and `ne` match regular expressions against them.
 *
 * @throws FilterError for what it can't read
 */
export function parseFilter(expression: string): (resource: Record<string, unknown>) => boolean {
  const comparisons: ((resource: Record<string, unknown>) => boolean)[] = [];
  let rest = expression;
  while (rest.trim() !== "") {
    const [matched, field, operator, quoted, bare] = COMPARISON.exec(rest) ?? [];
    if (matched === undefined || field === undefined) throw new FilterError(expression);
    const wanted = quoted ?? bare ?? "";
    const negated = operator === "!=" || operator === "ne";
    const pattern = operator === "eq" || operator === "ne" ? new RegExp(`^(?:${wanted})$`) : undefined;
    comparisons.push((resource) => {
      const value = String(resource[field] ?? "");
      return (pattern ? pattern.test(value) : value === wanted) !== negated;
    });
    rest = rest.slice(matched.length);
  }
  return (resource) => comparisons.every((holds) => holds(resource));
}
