import { randomUUID } from "node:crypto";
import { access, chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as toolCache from "@actions/tool-cache";
import { messageOf } from "../errors.ts";
import { DownloadError, downloadTo, excerpt, type Patience, type RequestOptions, readText } from "./http.ts";

/** A published executable and the SHA-256 that proves it. */
export interface Download {
  /** Name of the tool, also in the tool cache. */
  name: string;
  /** Exact version, without `v`. */
  version: string;
  url: string;
  /** In hex, or where the publisher has put it: alone, or in lines of `sha256sum`. */
  checksum: { url: string } | { sha256: string };
  archive: "none" | "tar.gz" | "zip";
  /** Path of the executable in the archive; without an archive, the name to give to it. */
  member: string;
}

/**
 * Returns the absolute path of an executable in the runner's tool cache, downloading it when it isn't there.
 *
 * @throws DownloadError as {@link downloadInto}
 */
export async function install(download: Download, patience?: Patience): Promise<string> {
  const { name, version, member } = download;
  const found = await findInstalled(name, version, member);
  if (found) return found;

  const home = join(process.env.RUNNER_TOOL_CACHE ?? "", name, version, process.arch);
  // Made beside its place and moved there in one step: a job that shares the cache never sees half a tool.
  const aside = `${home}.${randomUUID()}`;
  try {
    await mkdir(aside, { recursive: true });
    await downloadInto(aside, download, patience);
    const madeMeanwhile = await findInstalled(name, version, member);
    if (madeMeanwhile) return madeMeanwhile;
    await rm(home, { recursive: true, force: true });
    await writeFile(`${home}.complete`, "");
    await rename(aside, home).catch(async (error: unknown) => {
      // The other job moved its own there just now: the same file, verified by the same sum.
      if (!(await findInstalled(name, version, member))) throw error;
    });
    return join(home, member);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Returns the absolute path of an executable in the runner's tool cache, or undefined. */
export async function findInstalled(
  name: string,
  version: string,
  member: string,
): Promise<string | undefined> {
  const home = toolCache.find(name, version);
  if (!home) return undefined;
  const path = join(home, member);
  // Other actions use the same cache and may lay a tool out in their own way.
  return (await exists(path)) ? path : undefined;
}

/**
 * Downloads and unpacks an executable into an existing folder and returns its path. Nothing is unpacked, and
 * nothing is kept, before its SHA-256 is that of the publisher.
 *
 * @throws DownloadError when it can't be had, or can't be verified
 */
export async function downloadInto(folder: string, download: Download, patience?: Patience): Promise<string> {
  const { url, archive, member } = download;
  const executable = join(folder, member);
  const file = archive === "none" ? executable : join(folder, basename(new URL(url).pathname));
  const abort = new AbortController();
  try {
    const options = { signal: abort.signal, patience };
    const expecting = publishedSum(download, options);
    // Awaited second: where both are missing, the file is what the reader wants to hear of.
    expecting.catch(() => {});
    const actual = await downloadTo(file, url, options);
    const expected = await expecting;
    if (actual !== expected) {
      throw new DownloadError("unverified", `${url} has SHA-256 ${actual}, but ${expected} was published.`);
    }
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    abort.abort();
  }

  if (archive === "none") {
    await chmod(file, 0o755);
    return executable;
  }
  try {
    await (archive === "zip" ? toolCache.extractZip(file, folder) : toolCache.extractTar(file, folder));
  } catch (error) {
    throw new DownloadError("unverified", `${url} can't be unpacked: ${messageOf(error)}.`, error);
  }
  await rm(file);
  if (!(await exists(executable))) throw new DownloadError("unverified", `${url} holds no ${member}.`);
  return executable;
}

async function publishedSum({ url, checksum }: Download, options: RequestOptions): Promise<string> {
  if ("sha256" in checksum) return checksum.sha256.toLowerCase();
  const text = await readText(checksum.url, options).catch((error: unknown) => {
    if (!(error instanceof DownloadError)) throw error;
    throw new DownloadError(
      error.obstacle === "missing" ? "unverified" : error.obstacle,
      `The SHA-256 of ${url} is not known: ${error.message}`,
      error,
    );
  });
  const sum = parseSum(text, basename(new URL(url).pathname));
  if (sum) return sum;
  throw new DownloadError(
    "unverified",
    `The SHA-256 of ${url} is not known: ${checksum.url} holds none for it, but ${excerpt(text)}.`,
  );
}

/**
 * Returns the SHA-256, in lower-case hex, that a published checksum file gives for a file: a bare sum, or the
 * file's line as `sha256sum` writes it. Returns undefined when there is none.
 */
export function parseSum(text: string, file: string): string | undefined {
  for (const line of text.split("\n")) {
    const [, sum, name] = /^([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(line) ?? [];
    if (sum && (name === undefined || basename(name) === file)) return sum.toLowerCase();
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
