import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import { run } from "../../src/base/process.ts";
import { downloadInto } from "../../src/tools/download.ts";
import { cache, exists, type Say, sayOnStderr, timed } from "../cache.ts";
import { lock } from "./lock.ts";
import { type BinaryName, PINS, type Pin } from "./pins.ts";

export interface Watching {
  /** By default standard error: standard output belongs to what a command prints for others to read. */
  say?: Say | undefined;
  /** Ends a build. */
  signal?: AbortSignal | undefined;
}

const PROBE_LIMIT_MS = 4_000;

/**
 * Returns the path of a pinned program: from the cache, else the verified official download, else built from
 * its Go module.
 *
 * @throws Error when it can be had in no way, with the reasons
 */
export async function binary(name: BinaryName, watching: Watching = {}): Promise<string> {
  const { say = sayOnStderr, signal } = watching;
  const pin: Pin = PINS[name];
  const home = join(cache(), `${pin.program}-${pin.version}`);
  const path = join(home, pin.program);
  if (await exists(path)) return path;

  // One lock for all: builds share Go's build cache and the few cores, and none is made twice.
  const held = await lock(`binaries of ${cache()}`, () =>
    say(`${label(pin)}: waiting for another process's build`),
  );
  try {
    if (await exists(path)) return path;
    // What a build that was killed has left goes first.
    const aside = join(cache(), "incomplete");
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    try {
      if (!(await download(pin, aside, say))) await build(pin, aside, say, signal);
      await rename(aside, home);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    return path;
  } finally {
    await held.release();
  }
}

/** Returns the paths of several pinned programs, fetched or built one after another. */
export async function binaries<Name extends BinaryName>(
  names: readonly Name[],
  watching: Watching = {},
): Promise<Record<Name, string>> {
  const paths: [Name, string][] = [];
  for (const name of names) paths.push([name, await binary(name, watching)]);
  return Object.fromEntries(paths) as Record<Name, string>;
}

/**
 * Makes the executable from the official download. Returns false when its host can't be reached.
 *
 * @throws DownloadError when the host answers, but not with what was published
 */
async function download(pin: Pin, folder: string, say: Say): Promise<boolean> {
  const { official } = pin;
  if (!official || !(await reachable(new URL(official.url).origin))) return false;
  const unpacked = join(folder, "unpacked");
  await mkdir(unpacked);
  await timed(`${label(pin)}: downloading ${official.url}`, say, async () => {
    const path = await downloadInto(unpacked, {
      name: pin.program,
      version: pin.version,
      url: official.url,
      checksum: { url: official.checksumUrl },
      archive: official.archive,
      member: official.member ?? pin.program,
    });
    await rename(path, join(folder, pin.program));
  });
  await rm(unpacked, { recursive: true });
  return true;
}

const probes = new Map<string, Promise<boolean>>();

/** Whether a host answers at all, asked once: a machine without internet must not wait for every program. */
export function reachable(origin: string): Promise<boolean> {
  const probe =
    probes.get(origin) ??
    fetch(origin, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(PROBE_LIMIT_MS) }).then(
      () => true,
      () => false,
    );
  probes.set(origin, probe);
  return probe;
}

async function build(pin: Pin, folder: string, say: Say, signal: AbortSignal | undefined): Promise<void> {
  const { module, package: main, ldflags } = pin.build;
  const flags = ["-trimpath", "-ldflags", `-s -w ${ldflags}`.trim()];
  const args = module
    ? ["-C", join(import.meta.dirname, module), "build", ...flags, "-o", join(folder, pin.program), main]
    : ["install", ...flags, `${main}@v${pin.version}`];
  const go = { name: "go", path: "go", env: { CGO_ENABLED: "0", GOBIN: folder } };
  await timed(`${label(pin)}: building it from its Go module`, say, async () => {
    const output = await run(go, args, { signal }).catch((error: unknown) => {
      throw new Error(
        `${label(pin)} could neither be downloaded nor built: ${messageOf(error)}\n` +
          "What to do: install Go, or let this machine reach the official downloads.",
        { cause: error },
      );
    });
    signal?.throwIfAborted();
    if (output.exitCode !== 0) {
      throw new Error(`${label(pin)} could not be built (go ${args.join(" ")}):\n${tail(output.stderr)}`);
    }
  });
}

function label(pin: Pin): string {
  return `${pin.program} ${pin.version}`;
}

function tail(text: string): string {
  return text.trim().split("\n").slice(-15).join("\n");
}
