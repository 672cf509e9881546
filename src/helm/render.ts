import * as v from "valibot";
import { run } from "../base/process.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { clusterError } from "./error.ts";
import { postRendererFlags } from "./flags.ts";
import { withValues } from "./helm-values.ts";
import { Hook } from "./hook.ts";
import { type Install, installArgs } from "./install.ts";
import { busyError, type Helm, type Upgrade, upgradeArgs } from "./upgrade.ts";

/** The objects that Helm would make of a release. */
export interface Rendering {
  /** Its objects, several YAML documents, without hooks. */
  manifest: string;
  /** Objects that Helm makes and deletes at its events. */
  hooks: Hook[];
  /** The chart's defaults as Helm would store them: with those of its subcharts. */
  defaults: YamlMap;
}

const DryRun = v.looseObject({
  manifest: v.optional(v.string(), ""),
  hooks: v.nullish(v.array(Hook), () => []),
  chart: v.looseObject({ values: v.nullish(v.custom<YamlMap>(isMap), () => ({})) }),
});

/**
 * Returns the manifest that an upgrade would make. Helm renders it against the cluster, because `helm
 * template` knows neither the objects for which charts look (Milvus's for the message queue of a standalone
 * Deployment), nor the API versions, nor the revision's number.
 *
 * @throws ActionError with Helm's own words
 */
export async function renderUpgrade(
  helm: Helm,
  request: Omit<Upgrade, "description" | "timeout" | "signal">,
): Promise<Rendering> {
  return render(helm, upgradeArgs(helm, request), request, "upgraded");
}

/**
 * Returns the manifest that an installation would make.
 *
 * @throws ActionError with Helm's own words
 */
export async function renderInstall(
  helm: Helm,
  request: Omit<Install, "description" | "timeout" | "signal">,
): Promise<Rendering> {
  return render(helm, installArgs(helm, request), request, "installed");
}

/**
 * Returns the manifest that a release's chart makes at an installation, without hooks. Charts render
 * some fields at an installation only (etcd's `ETCD_INITIAL_CLUSTER_STATE: new`): a release that was
 * never upgraded still has them.
 *
 * @throws ActionError with Helm's own words
 */
export async function renderAsInstalled(
  helm: Helm,
  { release, chart, values, directory }: Omit<Install, "description" | "timeout" | "signal">,
): Promise<string> {
  const which = ["template", release.name, chart.path, "--namespace", release.namespace];
  const how = ["--no-hooks", "--dry-run=server", ...postRendererFlags(helm)];
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...which, ...how, ...flags], { input }),
  );
  if (output.exitCode === 0) return output.stdout;
  throw clusterError(
    `Chart ${chart.name} ${chart.version} can't be rendered with the values of release ${release.name}; nothing was changed.`,
    output,
  );
}

async function render(
  helm: Helm,
  args: string[],
  { release, chart, values, directory }: Omit<Install, "description" | "timeout" | "signal">,
  done: "installed" | "upgraded",
): Promise<Rendering> {
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...args, ...flags, "--dry-run=server"], { input }),
  );
  if (output.exitCode === 0) {
    const { manifest, hooks, chart } = v.parse(DryRun, JSON.parse(output.stdout));
    return { manifest, hooks, defaults: chart.values };
  }
  const what = `Release ${release.name} in namespace ${release.namespace} can't be ${done} with chart ${chart.version} and these values; nothing was changed.`;
  // Another run may have begun since this one has read the release.
  throw (
    busyError(what, output, release) ??
    clusterError(what, output, {
      fix: "correct what Helm complains about: check values, values_files, chart_version and post_renderer.",
    })
  );
}
