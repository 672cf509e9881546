/** The filter expression is malformed or not supported. */
export class FilterError extends Error {}

const COMPARISON =
  /^\s*(?:AND\s+)?\(?\s*([A-Za-z.]+)\s*(=|!=|\beq\b|\bne\b)\s*(?:"([^"]*)"|([^\s()"]+))\s*\)?/;

/**
 * Parses the `filter` of a Compute list into a predicate: all comparisons must hold. `=` and `!=` compare
 * values, `eq` and `ne` match regular expressions against whole values.
 *
 * @throws FilterError if the expression is malformed
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
