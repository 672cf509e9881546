import semver from "semver";
import { ActionError } from "../base/errors.ts";
import type { Program } from "../base/process.ts";
import type { Download } from "./download.ts";
import type { Patience } from "./http.ts";
import type { Mirror } from "./mirror.ts";
import type { Platform } from "./platform.ts";
import type { ReleaseLine } from "./version.ts";

/** How a tool tells its version, and where its publisher keeps its releases. */
export interface Tool {
  name: string;
  /** The publisher's host, which is the default of the input `<tool>_mirror`. */
  host: string;
  /** The versions that this action can work with, as a semver range, and why. */
  supported: { range: string; reason: string };
  versionArgs: string[];
  /** Returns the version in the output of `versionArgs`, as the tool writes it. */
  readVersion: (stdout: string) => string | undefined;
  /**
   * Returns the file with the version of an installed executable, so that a slow tool need not be started.
   */
  versionFile?: (executable: string) => string;
  /** Path, under the mirror, of the file that names the newest release. */
  latest: string;
  /** Returns the version in a file that names a release, as the publisher writes it. */
  readPointer: (text: string) => string | undefined;
  /** Returns the release lines that have a pointer, newest first. */
  lines: (latest: string) => ReleaseLine[];
  /** Returns where a release is published under a mirror, and how it is packed. */
  locate: (version: string, platform: Platform, mirror: string) => Omit<Download, "name" | "version">;
  /** The remedy for a mirror without checksums, besides another mirror. */
  withoutSums?: string;
}

/** What `auto` means in this run. */
export interface Fit {
  /** What the run needs, as a semver range. */
  range: string;
  /** The same in words, e.g. `within one minor version of the cluster's 1.35`. */
  reason: string;
  /**
   * Path, under the mirror, of the file that names the release to download if the runner has no fitting one.
   */
  pointer: string;
}

/** A tool that this run uses. */
export interface ProvidedTool extends Program {
  /** Without `v`. */
  version: string;
  /** Where the tool comes from and why it was chosen. */
  why: string;
}

/** What the inputs say about a tool. */
export interface ToolRequest {
  /** The input `<tool>_version`. */
  version: string;
  /** The input `<tool>_mirror`: a URL, possibly with user and password. */
  mirror: string;
  /** Ends the search. */
  signal?: AbortSignal | undefined;
  patience?: Patience | undefined;
}

/** A tool and the mirror that its releases come from. */
export interface Publisher extends Mirror {
  tool: Tool;
  signal: AbortSignal | undefined;
  patience: Patience;
}

/** A tool on this machine. */
export interface Found {
  path: string;
  version: string;
  /** Where it was found, for the log. */
  origin: string;
}

/** Tells whether this action can work with a version of a tool. */
export function isSupported(tool: Tool, version: string): boolean {
  return semver.satisfies(version, tool.supported.range, { includePrerelease: true });
}

/** @param what the input or release, for the message */
export function unsupported(tool: Tool, what: string): ActionError {
  return new ActionError(`${what} can't be used.`, {
    why: tool.supported.reason,
    fix: `Set ${tool.name}_version to auto, or to a version in ${tool.supported.range}.`,
  });
}
