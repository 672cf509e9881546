import { readFile, realpath } from "node:fs/promises";
import { which } from "@actions/io";
import * as toolCache from "@actions/tool-cache";
import semver from "semver";
import { messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { run } from "../base/process.ts";
import type { Choice } from "./choice.ts";
import { findInstalled } from "./download.ts";
import { excerpt } from "./http.ts";
import { platformOf } from "./platform.ts";
import type { Found, Publisher, Tool } from "./tool.ts";
import { parseReported } from "./version.ts";

/**
 * Returns the tool on PATH. Ignores one that doesn't tell its version, and says so in the log.
 */
export async function findOnPath(publisher: Publisher): Promise<Found | undefined> {
  const { tool, signal } = publisher;
  const path = await which(tool.name);
  if (!path) return undefined;
  try {
    const version = (await writtenVersion(tool, path)) ?? (await askVersion(path, publisher));
    return { path, version, origin: "on PATH" };
  } catch (error) {
    signal?.throwIfAborted();
    info(`${path} is ignored: ${messageOf(error)}`);
    return undefined;
  }
}

/** Returns the newest accepted version in the runner's tool cache. */
export async function findInCache(choice: Choice, { tool, base }: Publisher): Promise<Found | undefined> {
  const [version] = toolCache.findAllVersions(tool.name).filter(choice.accepts).sort(semver.rcompare);
  if (!version) return undefined;
  const platform = platformOf(process.platform, process.arch);
  const path = await findInstalled(tool.name, version, tool.locate(version, platform, base).member);
  return path ? { path, version, origin: "in the tool cache" } : undefined;
}

/**
 * Returns the version in the installed tool's version file, without `v`, or undefined if it has no such file.
 */
export async function writtenVersion(tool: Tool, path: string): Promise<string | undefined> {
  if (!tool.versionFile) return undefined;
  const text = await readFile(tool.versionFile(await realpath(path)), "utf8").catch(() => "");
  return parseReported(text);
}

async function askVersion(path: string, { tool, signal, patience }: Publisher): Promise<string> {
  const { stallMs } = patience;
  const limit = new AbortController();
  const end = AbortSignal.any([limit.signal, ...(signal ? [signal] : [])]);
  const ended = Promise.withResolvers<never>();
  // The end of the program itself is no measure: a shim's child may hold the pipe long after the shim has
  // ended.
  end.addEventListener("abort", () => ended.reject(end.reason));
  const silence = new Error(`it did not print its version within ${stallMs / 1000} s.`);
  const timer = setTimeout(() => limit.abort(silence), stallMs);
  try {
    const answer = run({ name: tool.name, path }, tool.versionArgs, { signal: end });
    const output = await Promise.race([answer, ended.promise]);
    if (output.exitCode !== 0) {
      throw new Error(`it ended with exit code ${output.exitCode} and printed ${excerpt(output.stderr)}.`);
    }
    const version = parseReported(tool.readVersion(output.stdout) ?? "");
    if (!version) throw new Error(`it printed ${excerpt(output.stdout)} instead of its version.`);
    return version;
  } finally {
    clearTimeout(timer);
  }
}
