import { readdirSync, readFileSync } from "node:fs";
import { MARK } from "../../../local-gke/control-plane/processes.ts";
import type { Job } from "./job.ts";

const SAMPLE_MS = 10;

/** What the programs that a run started had in their arguments and environments. */
export interface Seen {
  programs: Set<string>;
  texts: Set<string>;
}

/**
 * Looks at a job's programs again and again, but for the action itself, whose
 * environment the runner has made.
 */
export function watchPrograms(job: Job): { seen: Seen; stop(): void } {
  const seen: Seen = { programs: new Set(), texts: new Set() };
  const mark = `\0${MARK}=${job.directory}\0`;
  // Nearly all processes are somebody else's and stay: each is looked at once.
  const foreign = new Set<string>();
  const look = () => {
    for (const pid of readdirSync("/proc")) {
      if (foreign.has(pid) || !/^\d/.test(pid)) continue;
      const environment = contentOf(pid, "environ");
      // It has ended, or is about to run its program.
      if (environment === undefined || environment === "") continue;
      if (!`\0${environment}`.includes(mark)) {
        foreign.add(pid);
        continue;
      }
      const [name, args] = [contentOf(pid, "comm"), contentOf(pid, "cmdline")];
      if (name === undefined || args === undefined) continue;
      seen.texts.add(args);
      if (args.includes("dist/index.js")) continue;
      seen.programs.add(name.trim());
      seen.texts.add(environment);
    }
  };
  const timer = setInterval(look, SAMPLE_MS);
  return { seen, stop: () => clearInterval(timer) };
}

function contentOf(pid: string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
