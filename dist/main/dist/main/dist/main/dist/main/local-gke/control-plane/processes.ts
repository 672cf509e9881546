import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Every process of a local GKE inherits this environment variable, which identifies it. */
export const MARK = "LOCAL_GKE_DIRECTORY";

const POLL_MS = 20;
const KILL_LIMIT_MS = 10_000;

/** Finds the process ids of the local GKE in `directory`, except this process. */
export function processesOf(directory: string): number[] {
  const mark = `\0${MARK}=${directory}\0`;
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && environmentOf(pid).includes(mark));
}

/** Kills the processes of a local GKE and waits for their exit. */
export async function killProcessesOf(directory: string): Promise<void> {
  const deadline = performance.now() + KILL_LIMIT_MS;
  for (let pids = processesOf(directory); pids.length > 0; pids = processesOf(directory)) {
    if (performance.now() > deadline) {
      throw new Error(`the processes ${pids.join(", ")} of the local GKE in ${directory} do not exit`);
    }
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await delay(POLL_MS);
  }
}

/** Kills those of the processes that run a program of this name, as soon as there is one. */
export async function killProgramOf(directory: string, name: string): Promise<void> {
  const deadline = performance.now() + KILL_LIMIT_MS;
  const running = () => processesOf(directory).filter((pid) => nameOf(pid) === name);
  for (let pids = running(); ; pids = running()) {
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    if (pids.length > 0) return;
    if (performance.now() > deadline) throw new Error(`no ${name} runs in ${directory}`);
    await delay(POLL_MS);
  }
}

/** Sends a signal to a process, unless it has exited. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Empty for a process that has exited or belongs to another user. */
function environmentOf(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
  } catch {
    return "";
  }
}

/** The file name of a process's program. Empty for one that has exited. */
function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}
