import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { dump, load } from "js-yaml";
import * as v from "valibot";
import { ActionError } from "../errors.ts";
import { type Output, type Program, run, stream } from "../process.ts";
import type { YamlMap } from "../yaml.ts";
import { helmError } from "./error.ts";
import { conflictFlags, timeoutFlags, waitFlags } from "./flags.ts";
import type { Release } from "./release.ts";

/** Helm with its version, on which its flags depend. */
export type Helm = Program & { version: string };

/** A chart that is on this machine, ready for an upgrade. */
export interface LocalChart {
  /** Path of a folder or an archive. */
  path: string;
  version: string;
}

export interface ChartReference {
  /** A name in `repository`, a path, or an `oci://` reference. */
  chart: string;
  repository: string | undefined;
  version: string;
}

const PULL_PAUSES_MS = [1000, 5000];
/** What Helm prints when a second try can't help. */
const NOT_THERE = /not found|no chart version|404|403|401|denied|unauthorized/i;

/**
 * Brings a chart onto this machine: one in a repository or registry is downloaded into `directory` (Helm itself
 * tries only once), a path stays where it is.
 *
 * @throws ActionError when the chart or the version isn't there, or a local chart has another version than `version`
 */
export async function fetchChart(
  helm: Program,
  reference: ChartReference,
  directory: string,
): Promise<LocalChart> {
  const { chart, repository, version } = reference;
  if (!repository && !chart.startsWith("oci://")) return readLocalChart(helm, chart, version);

  const folder = await mkdtemp(join(directory, "chart-"));
  const source = repository ? [chart, "--repo", repository] : [chart];
  for (let attempt = 0; ; attempt += 1) {
    const output = await run(helm, ["pull", ...source, "--version", version, "--destination", folder]);
    if (output.exitCode === 0) break;
    const pause = PULL_PAUSES_MS[attempt];
    if (pause === undefined || NOT_THERE.test(output.stderr)) {
      throw helmError(
        `Chart ${chart} ${version} could not be downloaded from ${repository ?? chart}; nothing was changed.`,
        output,
        {
          fix: "check chart, chart_repository and chart_version; a chart on disk can be given as a path in chart.",
        },
      );
    }
    await delay(pause);
  }
  const [archive] = await readdir(folder);
  if (archive === undefined) throw new ActionError(`helm pull ${chart} ${version} left no archive behind.`);
  return { path: join(folder, archive), version };
}

const ChartMetadata = v.looseObject({ version: v.string() });

async function readLocalChart(helm: Program, path: string, version: string): Promise<LocalChart> {
  const metadata = await readFile(join(path, "Chart.yaml"), "utf8").catch(() => showChart(helm, path));
  const found = v.parse(ChartMetadata, load(metadata)).version;
  if (found !== version) {
    throw new ActionError(`The chart at ${path} has version ${found}, not ${version}; nothing was changed.`, {
      why: "another chart version also upgrades Milvus, so it is only taken when chart_version asks for it.",
      fix: `set chart_version: ${found} to upgrade on purpose, or give chart the path of version ${version}.`,
    });
  }
  return { path, version };
}

/** Lets Helm read the metadata of a chart that isn't a folder, or say why it can't. */
async function showChart(helm: Program, path: string): Promise<string> {
  const output = await run(helm, ["show", "chart", path]);
  if (output.exitCode === 0) return output.stdout;
  throw helmError(`The chart at ${path} can't be read; nothing was changed.`, output, {
    fix: "check the input chart: a path is relative to the folder that the job runs in.",
  });
}

export interface Upgrade {
  release: Release;
  chart: LocalChart;
  /** Values as the user wrote them, in the order in which they are laid over each other. */
  userValues: readonly { text: string }[];
  /** Laid over all others. */
  overlay: YamlMap;
  /** Milliseconds. */
  timeout: number;
  /** A private folder for the values while Helm runs. */
  directory: string;
  /** Ends the upgrade; Helm then records the release as failed. */
  signal: AbortSignal;
}

const Upgraded = v.looseObject({ version: v.number() });

/**
 * Runs the one `helm upgrade`, waiting for the rollout, and returns the new revision.
 *
 * `--reset-then-reuse-values`: the chart's defaults, then the release's own values, then the new ones. Without it
 * Helm drops the release's values as soon as any new one is given (helm pkg/action/upgrade.go, reuseValues).
 *
 * @throws ActionError with Helm's own words when the upgrade fails, what `signal` carries when that ended it
 */
export async function upgrade(helm: Helm, request: Upgrade): Promise<number> {
  const { release } = request;
  const folder = await mkdtemp(join(request.directory, "values-"));
  try {
    const files: string[] = [];
    for (const [index, { text }] of request.userValues.entries()) {
      const file = join(folder, `${index}.yaml`);
      await writeFile(file, text, { mode: 0o600 });
      files.push("--values", file);
    }
    const output = await stream(
      helm,
      [
        "upgrade",
        release.name,
        request.chart.path,
        "--namespace",
        release.namespace,
        "--reset-then-reuse-values",
        ...files,
        "--values",
        "-",
        ...waitFlags(helm.version),
        ...conflictFlags(release),
        ...timeoutFlags(request.timeout),
        "--output",
        "json",
      ],
      { input: dump(request.overlay), signal: request.signal },
    );
    if (output.exitCode !== 0) throw upgradeError(output, request);
    return v.parse(Upgraded, JSON.parse(output.stdout)).version;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function upgradeError(output: Output, { release, signal, timeout }: Upgrade): Error {
  // Whoever has ended the upgrade knows better than Helm why.
  if (signal.aborted && signal.reason instanceof Error) return signal.reason;
  const what = `helm upgrade of release ${release.name} in namespace ${release.namespace} failed.`;
  if (/another operation .* is in progress/.test(output.stderr)) {
    return helmError(what, output, {
      fix: `another run is at work on the release, or one was killed: see \`helm history ${release.name} -n ${release.namespace}\`, and \`helm rollback\` to the last deployed revision when nobody is.`,
    });
  }
  if (/timed out|deadline exceeded/.test(output.stderr)) {
    return helmError(what, output, {
      fix: `the rollout took longer than ${Math.round(timeout / 1000)}s: see the pods above, or raise helm_timeout.`,
    });
  }
  return helmError(what, output);
}
