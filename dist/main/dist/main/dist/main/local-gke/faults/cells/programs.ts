import { dirname } from "node:path";
import { killProcessesOf, killProgramOf } from "../../control-plane/processes.ts";
import { type Cell, cell } from "../cell.ts";
import { withManagedCertificate } from "./managed-certificate.ts";

/** The action's own processes, and the programs that it starts. */
export const PROGRAM_CELLS: readonly Cell[] = [
  ...(["tools", "plan", "check", "upgrade", "rollout", "apply", "address", "backends", "proof"] as const).map(
    (moment): Cell => ({
      ...cell("SIGTERM", moment, "cancelled"),
      strike: async (_, cancel) => cancel(),
    }),
  ),
  withManagedCertificate({
    ...cell("SIGTERM", "certificate", "cancelled"),
    strike: async (_, cancel) => cancel(),
  }),
  ...(["upgrade", "rollout", "address", "proof"] as const).map(
    (moment): Cell => ({
      ...cell("the runner dies", moment, "killed"),
      strike: ({ directory }) => killProcessesOf(directory),
    }),
  ),
  ...(["plan", "rollout"] as const).map(
    (moment): Cell => ({
      ...cell("Helm killed", moment, "program-killed"),
      helms: ["helm3", "helm4"],
      strike: ({ directory }) => killProgramOf(directory, "helm"),
    }),
  ),
  ...(["plan", "rollout", "address", "backends"] as const).map(
    (moment): Cell => ({
      ...cell("kubectl killed", moment, "program-killed"),
      helms: ["helm4"],
      strike: ({ directory }) => killProgramOf(directory, "kubectl"),
    }),
  ),
  ...(["kubectl", "helm"] as const).map(
    (name): Cell => ({
      ...cell(`no ${name} on PATH, and its mirror refuses`, "start", "download"),
      prepare: async ({ tools }) => ({
        runner: { PATH: dirname(name === "kubectl" ? tools.helm : tools.kubectl) },
        inputs: { [`${name}_mirror`]: "http://127.0.0.1:1" },
      }),
      strike: async () => {},
    }),
  ),
  ...(["plan", "rollout", "address"] as const).map(
    (moment): Cell => ({
      ...cell("a second run at once", moment, "success"),
      helms: ["helm3", "helm4"],
      async strike(bench) {
        const { exitCode, errors, log } = await bench.act();
        if (exitCode !== 0) throw new Error(`the second run failed: ${errors.join("; ")}\n${log.join("\n")}`);
      },
    }),
  ),
];
