import { randomUUID } from "node:crypto";
import { access, chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as toolCache from "@actions/tool-cache";
import { messageOf } from "../base/errors.ts";
import { unpack } from "./archive.ts";
import { type Checksum, proofOf } from "./checksum.ts";
import { DownloadError, downloadTo, type HttpOptions } from "./http.ts";

/** A published executable and its checksum. */
export interface Download {
  /** Name of the tool, also in the tool cache. */
  name: string;
  /** Exact version, without `v`. */
  version: string;
  url: string;
  checksum: Checksum;
  archive: "none" | "tar.gz" | "zip";
  /**
   * The folder of the archive that becomes the tool's folder in the tool cache. Default: the whole archive.
   */
  root?: string;
  /** Path of the executable in the tool's folder. Without an archive, the file name to give it. */
  member: string;
}

/**
 * Returns the absolute path of an executable in the runner's tool cache. Downloads it if it isn't there.
 *
 * @throws DownloadError as {@link downloadInto}
 */
export async function install(download: Download, options: HttpOptions = {}): Promise<string> {
  const { name, version, root = "", member } = download;
  const found = await findInstalled(name, version, member);
  if (found) return found;

  const home = join(process.env.RUNNER_TOOL_CACHE ?? "", name, version, process.arch);
  // Unpacked beside its place and moved there in one step: a job that shares the cache never sees half a
  // tool.
  const aside = `${home}.${randomUUID()}`;
  try {
    await mkdir(aside, { recursive: true });
    await downloadInto(aside, download, options);
    const madeMeanwhile = await findInstalled(name, version, member);
    if (madeMeanwhile) return madeMeanwhile;
    await rm(home, { recursive: true, force: true });
    await writeFile(`${home}.complete`, "");
    await rename(join(aside, root), home).catch(async (error: unknown) => {
      // Another job has just moved its own copy there: the same file, verified by the same checksum.
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
  // Other actions use the same cache, perhaps with another layout.
  return (await exists(path)) ? path : undefined;
}

/**
 * Downloads and unpacks an executable into an existing folder and returns its path. Verifies the checksum
 * before it unpacks anything.
 *
 * @throws DownloadError when the download or the verification fails; the signal's reason when it was aborted
 */
export async function downloadInto(
  folder: string,
  download: Download,
  { signal, ...options }: HttpOptions = {},
): Promise<string> {
  const { url, checksum, archive, root = "", member } = download;
  const executable = join(folder, root, member);
  const file = archive === "none" ? executable : join(folder, basename(new URL(url).pathname));
  const abort = new AbortController();
  const requests = { ...options, signal: AbortSignal.any([abort.signal, ...(signal ? [signal] : [])]) };
  try {
    const proof = proofOf(url, checksum, requests);
    const { digest, headers } = await downloadTo(file, url, proof.algorithm, requests);
    const expected = await proof.expected(headers);
    if (digest !== expected) {
      const algorithm = proof.algorithm === "md5" ? "MD5" : "SHA-256";
      throw new DownloadError(
        "unverified",
        `${url} has ${algorithm} ${digest}, but ${expected} was published.`,
      );
    }
  } catch (error) {
    await rm(file, { force: true });
    signal?.throwIfAborted();
    throw error;
  } finally {
    abort.abort();
  }

  if (archive === "none") {
    await chmod(file, 0o755);
    return executable;
  }
  try {
    await unpack(file, folder, archive, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new DownloadError("unverified", `${url} can't be unpacked: ${messageOf(error)}.`, error);
  }
  await rm(file);
  if (!(await exists(executable)))
    throw new DownloadError("unverified", `${url} holds no ${join(root, member)}.`);
  return executable;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
