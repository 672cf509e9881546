import semver from "semver";
import { ActionError } from "../base/errors.ts";
import { DownloadError, excerpt, readText } from "./http.ts";
import { type Fit, isSupported, type Publisher, type Tool, unsupported } from "./tool.ts";
import { lineOf, parseWanted, type Wanted } from "./version.ts";

/** The versions that a version input accepts in this run. */
export interface Choice {
  accepts: (version: string) => boolean;
  /** Why an accepted version was chosen, for the log. */
  reason: string;
  /** Returns the published version to download if the runner has no accepted one. */
  newest: () => Promise<string>;
}

/**
 * Parses a version input.
 *
 * @throws ActionError when the text isn't a version, or not a supported one
 */
export function parseSupported(tool: Tool, text: string): Wanted {
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

/**
 * Decides which versions this run accepts.
 *
 * @param fit what `auto` means
 * @throws ActionError when the newest release isn't supported; DownloadError when the mirror doesn't name one
 */
export async function choose(wanted: Wanted, fit: Fit, publisher: Publisher): Promise<Choice> {
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

/** Returns the newest version of the release line that a version belongs to, and the newest of all. */
export async function newestPublished(version: string, publisher: Publisher): Promise<string[]> {
  const latest = await readPointer(publisher, publisher.tool.latest);
  const line = lineOf(version, publisher.tool.lines(latest));
  const newest = line ? await readPointer(publisher, line.pointer) : latest;
  return [...new Set([newest, latest])];
}

async function newestInRange(range: string, publisher: Publisher): Promise<string> {
  const { tool } = publisher;
  const lines = tool.lines(await readPointer(publisher, tool.latest));
  const usable = lines.filter((line) => semver.intersects(line.range, tool.supported.range));
  return await newestAt(lineOf(range, usable)?.pointer ?? tool.latest, range, publisher);
}

/**
 * Publishers name only the newest release of each line. A range that ends inside a line can't be resolved.
 */
async function newestAt(pointer: string, range: string, publisher: Publisher): Promise<string> {
  const { tool, base } = publisher;
  const newest = await readPointer(publisher, pointer);
  if (semver.satisfies(newest, range) && isSupported(tool, newest)) return newest;
  throw new ActionError(`${tool.name}_version: the newest release in ${range} can't be found out.`, {
    why: `${base}/${pointer} names ${newest}, which can't be used, and no list of the other releases is published.`,
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
