import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import * as v from "valibot";
import { textOf } from "./utf8.ts";

/** Far more than any file of values, objects or credentials has: a release's Secret holds one mebibyte. */
const MAX_MEBIBYTES = 16;
const MEBIBYTE = 1024 * 1024;
const CHUNK = 64 * 1024;

/**
 * Reads a text file that a user names. Waits for nothing: a pipe or a device
 * could keep the run from going on.
 *
 * @throws Error saying in words why it can't be read; that of the system (`ENOENT`, `EACCES`) as it is
 */
export function readTextFile(path: string): string {
  refuseOther(statOf(path));
  // It may have become a pipe since: without the flag, opening one waits for its writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    refuseOther(stats);
    return textOf(readWhole(stats.size, (chunk) => readSync(file, chunk)));
  } finally {
    closeSync(file);
  }
}

/** Tells whether an error of the system says that a file isn't there. */
export function isMissingFile(error: unknown): boolean {
  return v.is(v.object({ code: v.literal("ENOENT") }), error);
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const isCircular = v.is(v.object({ code: v.literal("ELOOP") }), error);
    throw isCircular ? new Error("it is a link that leads back to itself", { cause: error }) : error;
  }
}

function refuseOther(stats: Stats): void {
  const kind = kindOf(stats);
  if (kind !== undefined) throw new Error(`it is ${kind}, not a file`);
  if (stats.size > MAX_MEBIBYTES * MEBIBYTE) {
    throw new Error(`it has ${Math.round(stats.size / MEBIBYTE)} MiB; ${tooLong()}`);
  }
}

function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

/**
 * Reads to the end.
 *
 * @param size bytes to expect; 0 if that isn't known: what the kernel makes up, as in /proc, has no size
 * @param read fills a chunk and returns the number of its bytes, 0 at the end
 * @throws Error when there is more or less, or no end
 */
export function readWhole(size: number, read: (chunk: Uint8Array) => number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.alloc(CHUNK);
    const count = read(chunk);
    length += count;
    if (length > MAX_MEBIBYTES * MEBIBYTE) throw new Error(`it has no end; ${tooLong()}`);
    if (count === 0 && size > 0 && length !== size) {
      throw new Error(`it changed while it was read (${size} bytes became ${length})`);
    }
    if (count === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, count));
  }
}

function tooLong(): string {
  return `at most ${MAX_MEBIBYTES} MiB are read`;
}
