import { randomUUID } from "node:crypto";
import { mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { which } from "@actions/io";
import semver from "semver";
import { messageOf } from "../../src/base/errors.ts";
import { run } from "../../src/base/process.ts";
import { fitCluster, kubectl } from "../../src/tools/kubectl.ts";
import { parseReported } from "../../src/tools/version.ts";
import { cache } from "../cache.ts";
import type { Say } from "../say.ts";
import { KUBERNETES } from "./pins.ts";

/**
 * Returns the path of a link to the kubectl on PATH if Kubernetes supports it with our API
 * server, else undefined. A link in a folder of its own: jobs of tests have nothing else of that
 * kubectl's folder on their PATH.
 */
export async function kubectlOnPath(say: Say): Promise<string | undefined> {
  const path = await which("kubectl");
  if (!path) return undefined;
  const version = await versionOf(path).catch((error: unknown) => {
    say(`${path} is not used: ${messageOf(error)}`);
  });
  if (!version) return undefined;
  const { range, reason } = fitCluster(KUBERNETES);
  if (!semver.satisfies(version, range)) {
    say(`${path} is not used: it is ${version}, not ${reason}.`);
    return undefined;
  }
  return link(path);
}

async function versionOf(path: string): Promise<string> {
  const { exitCode, stdout, stderr } = await run({ name: "kubectl", path }, kubectl.versionArgs);
  const version = parseReported(kubectl.readVersion(stdout) ?? "");
  if (!version) throw new Error(`its version is not known (exit code ${exitCode}): ${stderr.trim()}`);
  return version;
}

async function link(path: string): Promise<string> {
  const folder = join(cache(), "kubectl-on-path");
  await mkdir(folder, { recursive: true });
  const aside = join(folder, randomUUID());
  await symlink(path, aside);
  await rename(aside, join(folder, "kubectl"));
  return join(folder, "kubectl");
}
