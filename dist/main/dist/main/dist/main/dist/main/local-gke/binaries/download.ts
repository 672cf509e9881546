import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { downloadInto } from "../../src/tools/download.ts";
import { DownloadError, type HttpOptions, readText } from "../../src/tools/http.ts";
import { type Say, timed } from "../say.ts";
import { labelOf, type OfficialDownload, type Pin } from "./pins.ts";

const PROBE_LIMIT_MS = 4_000;

const Release = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ assets: v.array(v.object({ name: v.string(), digest: v.nullish(v.string()) })) }),
);

/**
 * Downloads a program's official executable, verifies it, and puts it into a folder that doesn't exist yet.
 *
 * @returns undefined after a download, else the reason why its hosts can't be used from here
 * @throws DownloadError if a file is missing or is not what was published
 */
export async function download(
  pin: Pin,
  folder: string,
  say: Say,
  options: HttpOptions = {},
): Promise<string | undefined> {
  const { program, version, official } = pin;
  const { url, archive, member = program } = official;
  for (const origin of originsOf(official)) {
    if (!(await reachable(origin))) return `${origin} can't be reached.`;
  }
  const unpacked = `${folder}.unpacked`;
  try {
    await mkdir(unpacked);
    await timed(`${labelOf(pin)}: downloading ${url}`, say, async () => {
      const checksum = await checksumOf(official, options);
      const path = await downloadInto(
        unpacked,
        { name: program, version, url, checksum, archive, member },
        options,
      );
      await mkdir(folder);
      await rename(path, join(folder, program));
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof DownloadError) || !isShutOut(error)) throw error;
    say(`${labelOf(pin)}: ${error.message}`);
    return error.message;
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
}

/** A build from source helps then. It must not hide a missing file or a wrong checksum. */
function isShutOut({ obstacle }: DownloadError): boolean {
  return obstacle === "unreachable" || obstacle === "refused";
}

async function checksumOf({ url, checksum }: OfficialDownload, options: HttpOptions) {
  if ("url" in checksum) return checksum;
  const file = url.slice(url.lastIndexOf("/") + 1);
  const text = await readText(checksum.githubRelease, options);
  return { sha256: digestIn(text, file, checksum.githubRelease) };
}

/**
 * Returns the SHA-256, in hex, that GitHub publishes for a file of a release
 * (https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name).
 */
function digestIn(text: string, file: string, source: string): string {
  const release = v.safeParse(Release, text);
  const asset = release.success ? release.output.assets.find(({ name }) => name === file) : undefined;
  const [, sum] = /^sha256:([0-9a-f]{64})$/.exec(asset?.digest ?? "") ?? [];
  if (!sum)
    throw new DownloadError("unverified", `The SHA-256 of ${file} is not known: ${source} holds none.`);
  return sum;
}

function originsOf({ url, checksum }: OfficialDownload): Set<string> {
  return new Set([url, ...Object.values(checksum)].map((each) => new URL(each).origin));
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
