import { which } from "@actions/io";
import * as toolCache from "@actions/tool-cache";
import { run } from "../base/process.ts";
import { excerpt } from "./http.ts";

/**
 * Unpacks an archive into an existing folder. A tar archive's files belong to the job's user, whoever packed them.
 *
 * @param signal ends the unpacking of a tar archive half-way
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
  // tool-cache's own call of tar can't be ended, and gcloud's archive keeps it busy for many seconds.
  const output = await run(tar, ["-x", "-z", "-o", "-f", file, "-C", folder], { signal });
  signal?.throwIfAborted();
  if (output.exitCode !== 0)
    throw new Error(`tar ended with ${output.exitCode}, saying ${excerpt(output.stderr)}`);
}
