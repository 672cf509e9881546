import { dirname, join } from "node:path";
import * as v from "valibot";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { run } from "../../src/base/process.ts";

/** One line of `act --json`. */
const Entry = v.object({
  msg: v.optional(v.string(), ""),
  stage: v.optional(v.string()),
  step: v.optional(v.string()),
  stepResult: v.optional(v.string()),
});

/** What a workflow did. */
export interface WorkflowRun {
  exitCode: number;
  log: string;
  /** `<stage> <step>: <result>` of each step, in the order in which they ended. */
  results: string[];
}

/**
 * Runs a workflow with `act`, on this machine and without containers. As on a runner of GitHub's, kubectl,
 * Helm and Node.js are on its PATH.
 *
 * @param args further arguments of act's
 * @param path folders in front of its PATH
 */
export async function act(
  event: string,
  workflow: string,
  args: readonly string[],
  path: readonly string[],
): Promise<WorkflowRun> {
  const { act, kubectl, helm4 } = await binaries(["act", "kubectl", "helm4"]);
  const tools = [...path, join(PROJECT, "node_modules/.bin"), dirname(kubectl), dirname(helm4)];
  const { exitCode, stdout, stderr } = await run(
    { name: "act", path: act, env: { PATH: [...tools, process.env.PATH].join(":") } },
    [event, "--workflows", workflow, "--json", ...args],
    {},
  );
  const entries = stdout
    .trimEnd()
    .split("\n")
    .map((line) => v.parse(Entry, JSON.parse(line)));
  return {
    exitCode,
    log: `${entries.map(({ msg }) => msg.trimEnd()).join("\n")}\n${stderr}`,
    results: entries.flatMap(({ stage, step, stepResult }) =>
      stage && stepResult ? [`${stage} ${step}: ${stepResult}`] : [],
    ),
  };
}
