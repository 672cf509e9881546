import { which } from "@actions/io";
import * as toolCache from "@actions/tool-cache";
import { run } from "../base/process.ts";
import { excerpt } from "./http.ts";

/**
 * Unpacks an archive into an existing folder. The job's user owns the files, whoever packed them.
 *
 * @param signal ends the unpacking of a tar archive
 * @throws Error when it can't be unpacked
 */
export async function unpack(
  file: string,
  folder: string,
  kind: "tar.gz" | "zip",
  signal: AbortSignal | undefined,
): Promise<void> {
  if (kind === "zip") {
    await toolCache.extractZip(file, folder);
    return;
  }
  const tar = { name: "tar", path: await which("tar", true) };
  // tool-cache runs tar in a way that can't be ended, and gcloud's archive takes many seconds.
  const output = await run(tar, ["-x", "-z", "-o", "-f", file, "-C", folder], { signal });
  signal?.throwIfAborted();
  if (output.exitCode !== 0)
    throw new Error(`tar ended with exit code ${output.exitCode} and printed ${excerpt(output.stderr)}`);
}
