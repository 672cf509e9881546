import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lock } from "./binaries/lock.ts";
import { cache } from "./cache.ts";
import { killProcessesOf, MARK, processesOf, signalProcess } from "./control-plane/processes.ts";
import {
  parseState,
  parseSupervisorMessage,
  STATE_FILE,
  type State,
  type SupervisorOptions,
} from "./control-plane/state.ts";
import { prepare } from "./prepare.ts";
import { type Say, sayOnStderr } from "./say.ts";

/** A running local GKE. */
export interface LocalGke extends State {
  /** Ends it and removes its directory. */
  down(): Promise<void>;
}

export interface UpOptions {
  /** Default: a unique name. */
  name?: string;
  /** `this-process` (the default): it ends with this process. `none`: it runs until {@link down}. */
  owner?: "this-process" | "none";
  /** Aborts the start. */
  signal?: AbortSignal;
  say?: Say;
}

export interface Status {
  name: string;
  directory: string;
  /** Process ids. */
  processes: number[];
  /** Undefined during the start, and after a start that was killed. */
  state: State | undefined;
}

// Longer than the supervisor's own time limits.
const END_LIMIT_MS = 20_000;
const POLL_MS = 20;
const LOG_LINES = 15;

/**
 * Starts a local GKE and resolves when its control plane, nodes and stand-ins are ready. Removes it on
 * failure.
 *
 * @throws Error that names what failed, with its last log lines
 */
export async function up(options: UpOptions = {}): Promise<LocalGke> {
  const { owner = "this-process", signal, say = sayOnStderr } = options;
  const name = options.name ?? `local-gke-${randomUUID().slice(0, 8)}`;
  const directory = directoryOf(name);
  await prepare([], { say, signal });
  signal?.throwIfAborted();
  const supervisor = await startSupervisor({ name, directory, owned: owner === "this-process" });
  try {
    const state = await untilReady(supervisor, directory, signal);
    // Lets this process exit before its local GKE does.
    supervisor.unref();
    if (owner === "none") supervisor.disconnect();
    else watch(supervisor, say);
    return { ...state, down: () => down(name) };
  } catch (error) {
    await down(name);
    signal?.throwIfAborted();
    throw error;
  }
}

/** Ends a local GKE and removes its directory. Does nothing if the name does not exist. */
export async function down(name: string): Promise<void> {
  const directory = directoryOf(name);
  const pid = Number(await readFile(pidFileOf(directory), "utf8").catch(ifMissing("")));
  // Another process may have this id now.
  const runs = () => processesOf(directory).includes(pid);
  if (runs()) signalProcess(pid, "SIGTERM");
  const deadline = performance.now() + END_LIMIT_MS;
  while (runs() && performance.now() < deadline) await delay(POLL_MS);
  await killProcessesOf(directory);
  await rm(directory, { recursive: true, force: true });
}

/** Lists the local GKEs of this user that run or have left a directory behind. */
export async function list(): Promise<Status[]> {
  const names = await readdir(root()).catch(ifMissing<string[]>([]));
  return Promise.all(names.map(status));
}

export async function status(name: string): Promise<Status> {
  const directory = directoryOf(name);
  const text = await readFile(join(directory, STATE_FILE), "utf8").catch(ifMissing(undefined));
  const state = text === undefined ? undefined : parseState(JSON.parse(text));
  return { name, directory, processes: processesOf(directory), state };
}

async function startSupervisor(supervisorOptions: SupervisorOptions): Promise<ChildProcess> {
  const { name, directory } = supervisorOptions;
  // Otherwise, a second start with this name could remove the directory of the first.
  const held = await lock(`start of ${directory}`);
  try {
    if (processesOf(directory).length > 0) {
      throw new Error(
        `A local GKE named ${name} is already running (${directory}).\n` +
          `What to do: end it with npm run local-gke -- down --name ${name}, or use another name.`,
      );
    }
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const log = openSync(logOf(directory), "w");
    const supervisor = fork(join(import.meta.dirname, "supervisor.ts"), [JSON.stringify(supervisorOptions)], {
      detached: true,
      execArgv: [],
      // `down` then also removes the temporary files of the stand-ins.
      env: {
        ...process.env,
        [MARK]: directory,
        TMPDIR: directory,
        // Node.js compiles the modules once for all starts: that is a third of the supervisor's start.
        NODE_COMPILE_CACHE: join(cache(), "compiled"),
      },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    writeFileSync(pidFileOf(directory), `${supervisor.pid}`);
    return supervisor;
  } finally {
    await held.release();
  }
}

async function untilReady(
  supervisor: ChildProcess,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<State> {
  const listening = new AbortController();
  const options = { signal: AbortSignal.any([listening.signal, ...(signal ? [signal] : [])]) };
  const said = once(supervisor, "message", options).then(([message]: unknown[]) =>
    parseSupervisorMessage(message),
  );
  const exited = once(supervisor, "exit", options).then(([code, by]: unknown[]): never => {
    throw new Error(`The supervisor ended (${by ?? `exit code ${code}`}):\n${lastLines(logOf(directory))}`);
  });
  try {
    const report = await Promise.race([said, exited]);
    if (report.type === "failed") throw new Error(`The local GKE did not start: ${report.message}`);
    return report.state;
  } finally {
    said.catch(() => {});
    exited.catch(() => {});
    listening.abort();
  }
}

/** Logs the failure of a local GKE that was ready. */
function watch(supervisor: ChildProcess, say: Say): void {
  supervisor.on("message", (message) => {
    const report = parseSupervisorMessage(message);
    if (report.type === "failed") say(`The local GKE has failed: ${report.message}`);
  });
  supervisor.channel?.unref();
}

function root(): string {
  return join(tmpdir(), `milvus-local-gke-${userInfo().username}`);
}

function directoryOf(name: string): string {
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) {
    throw new Error(`"${name}" can't name a local GKE: use lower-case letters, digits and hyphens.`);
  }
  return join(root(), name);
}

function pidFileOf(directory: string): string {
  return join(directory, "supervisor.pid");
}

function logOf(directory: string): string {
  return join(directory, "supervisor.log");
}

function lastLines(file: string): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");
}

/** Builds an error handler that returns `fallback` for a missing file. */
function ifMissing<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return fallback;
    throw error;
  };
}
