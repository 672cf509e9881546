import { readFile, realpath } from "node:fs/promises";
import * as core from "@actions/core";
import { which } from "@actions/io";
import * as toolCache from "@actions/tool-cache";
import semver from "semver";
import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { type Program, run } from "../base/process.ts";
import { type Download, findInstalled, install } from "./download.ts";
import { DownloadError, excerpt, type Obstacle, PATIENCE, type Patience, readText } from "./http.ts";
import { type Mirror, parseMirror } from "./mirror.ts";
import { type Platform, platformOf } from "./platform.ts";
import { lineOf, parseReported, parseWanted, type ReleaseLine, type Wanted } from "./version.ts";

/** How one tool is asked for its version, and where its publisher keeps its releases. */
export interface Tool {
  name: string;
  /** Where its publisher has its releases: the default of the input `<tool>_mirror`. */
  host: string;
  /** What the action can work with at all, as a semver range, and why. */
  supported: { range: string; reason: string };
  versionArgs: string[];
  /** Returns the version in the output of `versionArgs`, as the tool writes it. */
  readVersion: (stdout: string) => string | undefined;
  /** Returns where an installation has its version in a file, given the executable: a slow tool needn't be started. */
  versionFile?: (executable: string) => string;
  /** Path, under the mirror, of the text that names the newest release. */
  latest: string;
  /** Returns the version in a text that names a release, as the publisher writes it. */
  readPointer: (text: string) => string | undefined;
  /** Returns the release lines that have a pointer, newest first, given the newest release. */
  lines: (latest: string) => ReleaseLine[];
  /** Returns where a release is, with the mirror as base URL, and how it is packed. */
  locate: (version: string, platform: Platform, mirror: string) => Omit<Download, "name" | "version">;
  /** What to do when a mirror has no sums, if anything but another mirror will do. */
  withoutSums?: string;
}

/** What `auto` means in this run. */
export interface Fit {
  /** What the run needs, as a semver range. */
  range: string;
  /** The same in words, e.g. `within one minor version of the cluster's 1.35`. */
  reason: string;
  /** Path, under the mirror, of the text that names the release to download when the runner has none that fits. */
  pointer: string;
}

export interface ProvidedTool extends Program {
  /** Without `v`. */
  version: string;
  /** Where it is from and why it was taken. */
  why: string;
}

export interface ToolRequest {
  /** The input `<tool>_version`. */
  version: string;
  /** The input `<tool>_mirror`: a URL, also with user and password. */
  mirror: string;
  /** Ends the search when the tool is no longer of use. */
  signal?: AbortSignal | undefined;
  patience?: Patience | undefined;
}

/**
 * Returns the tool that a version input asks for: the runner's own, from PATH or the tool cache, when it will
 * do, else a verified download. Says in one line of the log which one was taken and why. With `auto`, a tool of the
 * runner's that isn't quite what the run needs is used, with a warning, when nothing can be downloaded.
 *
 * @throws ActionError naming the input to change; the signal's reason when it was ended
 */
export async function provide(tool: Tool, request: ToolRequest, fit: Fit): Promise<ProvidedTool> {
  const { signal, patience = PATIENCE } = request;
  const publisher = { tool, ...parseMirror(request.mirror), signal, patience };
  const wanted = parseSupported(tool, request.version);
  const onPath = await findOnPath(publisher);
  try {
    const choice = await choose(wanted, fit, publisher);
    const found = onPath && choice.accepts(onPath.version) ? onPath : await findInCache(choice, publisher);
    const taken = found ?? (await download(await choice.newest(), publisher));
    const passedOver = onPath && taken !== onPath ? `; ${onPath.path} is ${onPath.version}` : "";
    const why = `${taken.origin}, ${choice.reason}${passedOver}`;
    info(`${tool.name} ${taken.version} (${taken.path}): ${why}.`);
    return { name: tool.name, path: taken.path, version: taken.version, why };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DownloadError)) throw error;
    const failure = notDownloaded(publisher, error);
    const usable = onPath && isSupported(tool, onPath.version);
    const shutOut = error.obstacle === "unreachable" || error.obstacle === "refused";
    if (wanted.kind !== "auto" || !shutOut || !usable) throw failure;
    // An old tool that can do the work is better than none; a download that can't be trusted never is.
    core.warning(`${failure.message}\nThe runner's ${tool.name} ${onPath.version} (${onPath.path}) is used.`);
    const why = `${onPath.origin}, as no other could be downloaded`;
    return { name: tool.name, path: onPath.path, version: onPath.version, why };
  }
}

/** A tool, where its releases are taken from, and how. */
interface Publisher extends Mirror {
  tool: Tool;
  signal: AbortSignal | undefined;
  patience: Patience;
}

interface Found {
  path: string;
  version: string;
  origin: string;
}

/** What a version input comes to. */
interface Choice {
  accepts: (version: string) => boolean;
  /** Why a version that is accepted will do. */
  reason: string;
  /** Returns the published version to take when the runner has none that is accepted. */
  newest: () => Promise<string>;
}

async function choose(wanted: Wanted, fit: Fit, publisher: Publisher): Promise<Choice> {
  const { tool } = publisher;
  switch (wanted.kind) {
    case "auto":
      return {
        accepts: (version) => semver.satisfies(version, fit.range),
        reason: fit.reason,
        newest: () => newestAt(fit.pointer, fit.range, publisher),
      };
    case "latest": {
      const latest = await readPointer(publisher, tool.latest);
      if (!isSupported(tool, latest)) throw unsupported(tool, `The newest ${tool.name}, ${latest},`);
      return {
        accepts: (version) => version === latest,
        reason: `the newest release at ${publisher.base}`,
        newest: async () => latest,
      };
    }
    case "exact":
      return {
        accepts: (version) => version === wanted.version,
        reason: `as ${tool.name}_version asks`,
        newest: async () => wanted.version,
      };
    case "range":
      return {
        accepts: (version) => semver.satisfies(version, wanted.range) && isSupported(tool, version),
        reason: `in the range ${wanted.range} of ${tool.name}_version`,
        newest: () => newestInRange(wanted.range, publisher),
      };
  }
}

/** Returns the newest release in a range that the action can work with. */
async function newestInRange(range: string, publisher: Publisher): Promise<string> {
  const { tool } = publisher;
  const lines = tool.lines(await readPointer(publisher, tool.latest));
  const usable = lines.filter((line) => semver.intersects(line.range, tool.supported.range));
  return await newestAt(lineOf(range, usable)?.pointer ?? tool.latest, range, publisher);
}

/** Publishers name the newest release of each line, no others: a range that ends inside a line stays open. */
async function newestAt(pointer: string, range: string, publisher: Publisher): Promise<string> {
  const { tool, base } = publisher;
  const newest = await readPointer(publisher, pointer);
  if (semver.satisfies(newest, range) && isSupported(tool, newest)) return newest;
  throw new ActionError(`${tool.name}_version: it can't be told which release is the newest in ${range}.`, {
    why: `${base}/${pointer} names ${newest}, which will not do, and no list of the others is published.`,
    fix: `Set ${tool.name}_version to an exact version.`,
  });
}

async function readPointer(publisher: Publisher, pointer: string): Promise<string> {
  const url = `${publisher.base}/${pointer}`;
  const text = await readText(url, publisher);
  const version = semver.valid(publisher.tool.readPointer(text)?.trim());
  if (version) return version;
  throw new DownloadError("unverified", `${url} names no version, but holds ${excerpt(text)}.`);
}

async function findOnPath(publisher: Publisher): Promise<Found | undefined> {
  const { tool, signal } = publisher;
  const path = await which(tool.name);
  if (!path) return undefined;
  try {
    const version = (await writtenVersion(tool, path)) ?? (await askVersion(path, publisher));
    return { path, version, origin: "on the runner's PATH" };
  } catch (error) {
    signal?.throwIfAborted();
    info(`${path} is passed over: ${messageOf(error)}`);
    return undefined;
  }
}

/** Returns the version that an installed tool has in a file, without `v`, or undefined when it has none. */
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
  // Not the program's own end: a shim's child may hold the pipe when the shim is long gone.
  end.addEventListener("abort", () => ended.reject(end.reason));
  const silence = new Error(`asked for its version it said nothing for ${stallMs / 1000} s.`);
  const timer = setTimeout(() => limit.abort(silence), stallMs);
  try {
    const answer = run({ name: tool.name, path }, tool.versionArgs, { signal: end });
    const output = await Promise.race([answer, ended.promise]);
    if (output.exitCode !== 0) {
      throw new Error(`it ended with exit code ${output.exitCode}, saying ${excerpt(output.stderr)}.`);
    }
    const version = parseReported(tool.readVersion(output.stdout) ?? "");
    if (!version) throw new Error(`asked for its version it printed ${excerpt(output.stdout)}.`);
    return version;
  } finally {
    clearTimeout(timer);
  }
}

async function findInCache(choice: Choice, { tool, base }: Publisher): Promise<Found | undefined> {
  const [version] = toolCache.findAllVersions(tool.name).filter(choice.accepts).sort(semver.rcompare);
  if (!version) return undefined;
  const platform = platformOf(process.platform, process.arch);
  const path = await findInstalled(tool.name, version, tool.locate(version, platform, base).member);
  return path ? { path, version, origin: "in the runner's tool cache" } : undefined;
}

async function download(version: string, publisher: Publisher): Promise<Found> {
  const { tool, base } = publisher;
  const platform = platformOf(process.platform, process.arch);
  const release = { name: tool.name, version, ...tool.locate(version, platform, base) };
  try {
    return { path: await install(release, publisher), version, origin: "downloaded and verified" };
  } catch (error) {
    if (!(error instanceof DownloadError) || error.obstacle !== "missing") throw error;
    throw new ActionError(
      `${tool.name} ${version} is not published for ${platform.os} on ${platform.arch}.`,
      {
        why: error.message,
        fix: `Set ${tool.name}_version to a release that exists${await newestPublished(version, publisher)}.`,
        cause: error,
      },
    );
  }
}

/** Returns the releases to name beside one that doesn't exist: the newest of its line and the newest of all. */
async function newestPublished(version: string, publisher: Publisher): Promise<string> {
  try {
    const latest = await readPointer(publisher, publisher.tool.latest);
    const line = lineOf(version, publisher.tool.lines(latest));
    const newest = line ? await readPointer(publisher, line.pointer) : latest;
    const report = [...new Set([newest, latest])].filter((each) => each !== version);
    return report.length > 0 ? ` (the newest at ${publisher.base}: ${report.join(", ")})` : "";
  } catch (error) {
    info(`Which releases there are is not known: ${messageOf(error)}`);
    return "";
  }
}

function parseSupported(tool: Tool, text: string): Wanted {
  const wanted = parseWanted(text);
  if (!wanted) {
    throw new ActionError(`${tool.name}_version: ${JSON.stringify(text)} is not a version.`, {
      fix: "Use auto, latest, an exact version such as 1.2.3, or a semver range such as 1.2 or >=1.2 <2.",
    });
  }
  const asked = wanted.kind === "exact" ? wanted.version : wanted.kind === "range" ? wanted.range : undefined;
  if (asked && !semver.intersects(asked, tool.supported.range, { includePrerelease: true })) {
    throw unsupported(tool, `${tool.name}_version: ${text.trim()}`);
  }
  return wanted;
}

function isSupported(tool: Tool, version: string): boolean {
  return semver.satisfies(version, tool.supported.range, { includePrerelease: true });
}

function unsupported(tool: Tool, what: string): ActionError {
  return new ActionError(`${what} can't be used.`, {
    why: tool.supported.reason,
    fix: `Set ${tool.name}_version to auto, or to a version in ${tool.supported.range}.`,
  });
}

function notDownloaded({ tool, base, authorization }: Publisher, error: DownloadError): ActionError {
  const elsewhere = `set ${tool.name}_mirror to a host that has the same files as ${tool.host}`;
  const fixes: Record<Obstacle, string> = {
    missing: `Check ${tool.name}_version, or ${elsewhere}.`,
    refused: authorization
      ? `Check the user and password in ${tool.name}_mirror, and what ${base} lets them read.`
      : `If ${base} needs a user and password, put them into ${tool.name}_mirror (https://user:password@host). If a proxy ` +
        `answers in its place, let the runner through; else ${elsewhere}.`,
    unreachable:
      `Check that the runner reaches ${base} (HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS are heeded), or ` +
      `${elsewhere}, or install ${tool.name} on the runner.`,
    unverified: `Run the job again. If it fails again, ${elsewhere}, checksums included${tool.withoutSums ?? ""}.`,
  };
  return new ActionError(`${tool.name} could not be downloaded; nothing was unpacked.`, {
    why: error.message,
    fix: fixes[error.obstacle],
    cause: error,
  });
}
