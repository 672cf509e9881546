import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The environment variable by which every process of a local GKE, however it was started, is known. */
export const MARK = "LOCAL_GKE_DIRECTORY";

const POLL_MS = 20;
const KILL_LIMIT_MS = 10_000;

/** Returns the ids of the processes that belong to the local GKE in `directory`, except this one. */
export function processesOf(directory: string): number[] {
  const mark = `\0${MARK}=${directory}\0`;
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && environmentOf(pid).includes(mark));
}

/** Ends the processes of a local GKE at once and returns when they are gone. */
export async function killProcessesOf(directory: string): Promise<void> {
  const deadline = performance.now() + KILL_LIMIT_MS;
  for (let pids = processesOf(directory); pids.length > 0; pids = processesOf(directory)) {
    if (performance.now() > deadline) {
      throw new Error(`the processes ${pids.join(", ")} of the local GKE in ${directory} do not end`);
    }
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await delay(POLL_MS);
  }
}

/** Sends a signal to a process that may have ended already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Empty for processes that have ended and those of other users. */
function environmentOf(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
  } catch {
    return "";
  }
}
