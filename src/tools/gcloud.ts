import { dirname, join } from "node:path";
import * as core from "@actions/core";
import { which } from "@actions/io";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import { writtenVersion } from "./installed.ts";
import { provide } from "./provide.ts";
import type { Tool, ToolRequest } from "./tool.ts";

const CHANNEL = "dl/cloudsdk/channels/rapid";

const snapshot = v.pipe(v.string(), v.parseJson(), v.object({ version: v.string() }));
const versionOutput = v.pipe(v.string(), v.parseJson(), v.object({ "Google Cloud SDK": v.string() }));

/** gcloud, from the files that `gcloud components update` downloads. */
export const gcloud: Tool = {
  name: "gcloud",
  host: "https://dl.google.com",
  supported: { range: "*", reason: "This action itself does not use gcloud." },
  versionArgs: ["version", "--format=json"],
  readVersion: (stdout) => {
    const parsed = v.safeParse(versionOutput, stdout);
    return parsed.success ? parsed.output["Google Cloud SDK"] : undefined;
  },
  versionFile: (executable) => join(dirname(executable), "..", "VERSION"),
  // The file that `gcloud components update` reads.
  latest: `${CHANNEL}/components-2.json`,
  readPointer: (text) => {
    const parsed = v.safeParse(snapshot, text);
    return parsed.success ? parsed.output.version : undefined;
  },
  lines: () => [],
  locate: (version, { os, arch }, mirror) => {
    const windows = os === "windows";
    // There is no archive for Windows on arm64, but it can run x86_64 programs.
    const processor = arch === "arm64" && !windows ? "arm" : "x86_64";
    const archive = windows ? "zip" : "tar.gz";
    return {
      url: `${mirror}/${CHANNEL}/downloads/google-cloud-cli-${version}-${os}-${processor}.${archive}`,
      checksum: { header: "x-goog-hash" },
      archive,
      root: "google-cloud-sdk",
      member: windows ? "bin/gcloud.cmd" : "bin/gcloud",
    };
  },
  withoutSums:
    " (it must pass on the header x-goog-hash), or set gcloud_version to an exact version and gcloud_sha256 to its " +
    "archive's SHA-256",
};

export interface GcloudRequest extends ToolRequest {
  /** The input `gcloud_sha256`: replaces the checksum that the host sends. */
  sha256?: string | undefined;
}

/**
 * A search for gcloud that runs beside the deployment. gcloud is for the job's later steps, not for this
 * action.
 */
export interface GcloudSearch {
  /**
   * Puts gcloud on the PATH of the job's later steps. With `auto` it doesn't wait: it abandons a search that
   * isn't over, and a failed one has already warned. With any other `gcloud_version` later steps rely on
   * gcloud: it waits for the search and throws its failure.
   *
   * @param credentialsFile exported for gcloud, unless the job's environment already has credentials
   * @throws ActionError naming the input to change
   */
  finish(credentialsFile?: string): Promise<void>;
  /** Ends the search and waits until its temporary files are removed. */
  abandon(): Promise<void>;
}

/**
 * Starts to find gcloud, or to install it into the tool cache, as `gcloud_version` asks. `auto` takes the one
 * on PATH without running it, or else the newest. `none` does nothing.
 */
export function startGcloud(request: GcloudRequest): GcloudSearch {
  const wanted = request.version.trim();
  if (wanted === "none") return { finish: async () => {}, abandon: async () => {} };

  const abandoned = new AbortController();
  const signal = AbortSignal.any([abandoned.signal, ...(request.signal ? [request.signal] : [])]);
  let found: Found | undefined;
  let failure: ActionError | undefined;
  const search = find({ ...request, version: wanted, signal }).then(
    (result) => {
      found = result;
    },
    (error: unknown) => {
      failure = error instanceof ActionError ? error : notSetUp(error);
      if (wanted !== "auto" || signal.aborted) return;
      warning(
        `${failure.message}\nLater steps have no gcloud from this one; set gcloud_version to none if none uses it.`,
      );
    },
  );
  const abandon = async () => {
    abandoned.abort();
    await search;
  };

  return {
    abandon,
    finish: async (credentialsFile) => {
      const over = found || failure;
      if (!over && wanted === "auto") {
        await abandon();
        if (!found) core.notice(ABANDONED);
      } else if (!over) {
        info(`Waiting for gcloud, as gcloud_version is ${wanted}.`);
        await search;
      }
      request.signal?.throwIfAborted();
      if (failure && wanted !== "auto") {
        throw new ActionError(`${failure.message}\nEverything else in this step is done.`, {
          cause: failure,
        });
      }
      if (!found) return;
      if (!found.onPath) core.addPath(dirname(found.path));
      if (credentialsFile) core.exportVariable("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", credentialsFile);
    },
  };
}

const ABANDONED =
  "gcloud was not installed yet when everything else was done, so its installation was abandoned. If later steps use " +
  "gcloud, set gcloud_version to latest, a version or a range: this step then waits for it. If no later step does, set it to " +
  "none.";

interface Found {
  path: string;
  onPath: boolean;
}

async function find(request: GcloudRequest): Promise<Found> {
  const runners = await which(gcloud.name);
  if (request.version === "auto" && runners) {
    const version = await writtenVersion(gcloud, runners);
    info(`gcloud ${version ? `${version} ` : ""}(${runners}): on PATH, and gcloud_version is auto.`);
    return { path: runners, onPath: true };
  }
  const { sha256 } = request;
  const pinned: Tool = {
    ...gcloud,
    locate: (...release) => ({ ...gcloud.locate(...release), ...(sha256 && { checksum: { sha256 } }) }),
  };
  const fit = { range: "*", reason: "as none is on PATH", pointer: gcloud.latest };
  const { path } = await provide(pinned, request, () => fit);
  return { path, onPath: path === runners };
}

function notSetUp(error: unknown): ActionError {
  return new ActionError("gcloud could not be set up.", {
    why: messageOf(error),
    fix: "Set gcloud_version to none if no later step uses it.",
    cause: error,
  });
}
