import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StepResult } from "./job.ts";

/** What a step has left where others can read it, its `::add-mask::` commands left out. */
export function traces({ lines, outputs, summary, state, variables }: StepResult): string {
  const log = lines.filter((line) => !line.startsWith("::add-mask::"));
  return [...log, summary, ...[outputs, state, variables].map((each) => JSON.stringify(each))].join("\n");
}

/** Every file below a folder, by path. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** What every file below a folder holds. */
export function contentBelow(folder: string): string {
  return filesBelow(folder)
    .map((file) => readFileSync(file, "latin1"))
    .join("\n");
}
