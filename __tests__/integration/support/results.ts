import { expect } from "vitest";
import type { StepResult } from "./job.ts";

/** What tests read of the output `plan`. */
export interface Plan {
  upgrade: string[];
  objects: { kind: string; name: string; action: string; fields?: { path: string }[] }[];
  consequences: string[];
  restarts: object[];
  lost: { path: string; revision: number }[];
  edits: { name: string; path: string; before: string; after: string }[];
}

/** The result of a step that has failed, and its one error. */
export type Failure = StepResult & { error: string };

/** Expects that a step has succeeded, and returns its result. */
export function expectSuccess(result: StepResult): StepResult {
  expect(result.errors, result.lines.join("\n")).toEqual([]);
  expect(result.exitCode).toBe(0);
  return result;
}

/** Expects that a step has failed with one error that it knows, which the summary has too. */
export function expectFailure(result: StepResult): Failure {
  const { exitCode, errors, lines, summary } = result;
  expect(exitCode, lines.join("\n")).toBe(1);
  expect(errors).toHaveLength(1);
  const [error = ""] = errors;
  expect(error).not.toContain("that this action does not know");
  expect(summary.replace(/\\(.)/g, "$1")).toContain(error.split("\n")[0]);
  return { ...result, error };
}

export function planOf({ outputs }: StepResult): Plan {
  return JSON.parse(outputs.plan ?? "");
}

/** What a plan changes, e.g. `create Ingress my-release-milvus`. */
export function changesIn(result: StepResult): string[] {
  return planOf(result)
    .objects.filter(({ action }) => action !== "keep")
    .map(({ kind, name, action }) => `${action} ${kind} ${name}`);
}

/** The warnings of a run, without the one about the password of the tests' Milvus. */
export function warningsOf({ lines }: StepResult): string[] {
  const warnings = lines.flatMap((line) => /^::warning[^:]*::(.*)$/.exec(line)?.[1] ?? []);
  return warnings.filter((warning) => !warning.includes("default password"));
}
