import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";

const JsonObject = v.custom<YamlMap>(isMap);

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

/** Returns all outputs as JSON. An output that is a JSON object itself is one in it, too. */
export function resultJson(outputs: Record<string, string>): string {
  const entries = Object.entries(outputs).map(([name, value]) => [
    name,
    parseJson(JsonObject, value) ?? value,
  ]);
  return JSON.stringify(Object.fromEntries(entries), undefined, 2);
}
