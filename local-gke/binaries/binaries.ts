import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { allOf } from "../../src/base/async.ts";
import { messageOf } from "../../src/base/errors.ts";
import { cache, exists } from "../cache.ts";
import { type Say, sayOnStderr, showing } from "../say.ts";
import { build } from "./build.ts";
import { download } from "./download.ts";
import { kubectlOnPath } from "./kubectl-on-path.ts";
import { lock } from "./lock.ts";
import { type BinaryName, labelOf, PINS, type Pin } from "./pins.ts";

export interface Watching {
  /** By default standard error. */
  say?: Say | undefined;
  /** Ends downloads and builds. */
  signal?: AbortSignal | undefined;
}

/** Returns the path of one program, as {@link binaries} does. */
export async function binary(name: BinaryName, watching: Watching = {}): Promise<string> {
  const { [name]: path } = await binaries([name], watching);
  return path;
}

/**
 * Returns the paths of pinned programs. One that is not in the cache is downloaded and verified,
 * or built from source where its official host can't be reached. A kubectl on PATH that suits the
 * API server is used as it is.
 *
 * @throws Error if a program can neither be downloaded nor built, with the reasons
 */
export async function binaries<Name extends BinaryName>(
  names: readonly Name[],
  watching: Watching = {},
): Promise<Record<Name, string>> {
  const { say = sayOnStderr } = watching;
  const seeksKubectl = names.some((name) => name === "kubectl") && !(await exists(pathOf(PINS.kubectl)));
  const kubectl = seeksKubectl ? await kubectlOnPath(say) : undefined;

  const pinned = kubectl === undefined ? names : names.filter((name) => name !== "kubectl");
  await provide(
    pinned.map((name) => PINS[name]),
    watching,
  );
  const paths = names.map((name): [Name, string] => {
    return [name, (name === "kubectl" && kubectl) || pathOf(PINS[name])];
  });
  return Object.fromEntries(paths) as Record<Name, string>;
}

/** Downloads programs into the cache where that is possible, and builds all others together. */
export async function provide(pins: readonly Pin[], watching: Watching = {}): Promise<void> {
  const { say = sayOnStderr, signal } = watching;
  if ((await missingOf(pins)).length === 0) return;
  // One lock for all: builds share Go's build cache and the few cores, and no program is built twice.
  const what = "Waiting for the programs, which another process downloads or builds";
  const start = performance.now();
  const waiting = () => `${what} (${Math.round((performance.now() - start) / 1000)} s)`;
  const held = await showing(waiting, say, () => {
    return lock(`binaries of ${cache()}`, () => say(what), signal);
  });
  try {
    const missing = await missingOf(pins);
    if (missing.length === 0) return;
    const aside = join(cache(), "incomplete");
    // What a killed process has left goes first.
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    try {
      await downloadOrBuild(missing, aside, say, signal);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  } finally {
    await held.release();
  }
}

async function downloadOrBuild(
  pins: readonly Pin[],
  aside: string,
  say: Say,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folderOf = (pin: Pin) => join(aside, labelOf(pin, "-"));
  const keep = (pin: Pin) => rename(folderOf(pin), homeOf(pin));
  const outcomes = await allOf(
    pins.map(async (pin) => {
      const obstacle = await download(pin, folderOf(pin), say, { signal });
      if (obstacle === undefined) await keep(pin);
      return { pin, obstacle };
    }),
  );
  signal?.throwIfAborted();
  const shutOut = outcomes.filter(({ obstacle }) => obstacle !== undefined);
  if (shutOut.length === 0) return;
  try {
    await build(
      shutOut.map(({ pin }) => ({ pin, folder: folderOf(pin) })),
      say,
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(
      `${shutOut.map(({ pin }) => labelOf(pin)).join(", ")}: neither downloaded nor built.\n` +
        `Why not downloaded: ${[...new Set(shutOut.map(({ obstacle }) => obstacle))].join(" ")}\n` +
        `Why not built: ${messageOf(error)}\n` +
        "What to do: let this machine reach the official downloads, or install Go (https://go.dev/dl/).",
      { cause: error },
    );
  }
  for (const { pin } of shutOut) await keep(pin);
}

async function missingOf(pins: readonly Pin[]): Promise<Pin[]> {
  const there = await Promise.all(pins.map((pin) => exists(pathOf(pin))));
  return pins.filter((_, index) => !there[index]);
}

function homeOf(pin: Pin): string {
  return join(cache(), labelOf(pin, "-"));
}

function pathOf(pin: Pin): string {
  return join(homeOf(pin), pin.program);
}
