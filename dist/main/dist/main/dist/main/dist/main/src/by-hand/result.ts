import { isMap } from "../base/yaml.ts";

/** A longer output is for programs. */
const LONGEST = 120;

/** Returns the outputs as a table for people: those that fit into a line. */
export function resultTable(outputs: Record<string, string>): string {
  const rows = Object.entries(outputs).filter(
    ([, value]) => value !== "" && !value.includes("\n") && value.length <= LONGEST,
  );
  const width = Math.max(...rows.map(([name]) => name.length), 0);
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** Returns all outputs as JSON; those that are JSON objects themselves as such. */
export function resultJson(outputs: Record<string, string>): string {
  const entries = Object.entries(outputs).map(([name, value]) => [name, objectIn(value) ?? value]);
  return JSON.stringify(Object.fromEntries(entries), undefined, 2);
}

function objectIn(text: string): unknown {
  if (!text.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isMap(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
