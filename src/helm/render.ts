import * as v from "valibot";
import { run } from "../base/process.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { helmError } from "./error.ts";
import { withValues } from "./helm-values.ts";
import { type Install, installArgs } from "./install.ts";
import { type Helm, type Upgrade, upgradeArgs } from "./upgrade.ts";

/** What Helm would make of a release. */
export interface Rendering {
  /** Its objects, several YAML documents, without hooks. */
  manifest: string;
  /** The chart's defaults as Helm would store them: with those of its subcharts. */
  defaults: YamlMap;
}

const DryRun = v.looseObject({
  manifest: v.optional(v.string(), ""),
  chart: v.looseObject({ values: v.nullish(v.custom<YamlMap>(isMap), () => ({})) }),
});

/**
 * Returns what an upgrade would make of a release. Helm renders it against the cluster: charts ask for objects (Milvus's
 * for the message queue of a standalone Deployment), API versions and the revision's number, none of which `helm
 * template` knows.
 *
 * @throws ActionError with Helm's own words
 */
export async function renderUpgrade(
  helm: Helm,
  request: Omit<Upgrade, "timeout" | "signal">,
): Promise<Rendering> {
  return render(helm, upgradeArgs(helm, request), request, "upgraded");
}

/**
 * Returns what an installation would make.
 *
 * @throws ActionError with Helm's own words
 */
export async function renderInstall(
  helm: Helm,
  request: Omit<Install, "timeout" | "signal">,
): Promise<Rendering> {
  return render(helm, installArgs(helm, request), request, "installed");
}

async function render(
  helm: Helm,
  args: string[],
  { release, chart, values, directory }: Omit<Install, "timeout" | "signal">,
  done: "installed" | "upgraded",
): Promise<Rendering> {
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...args, ...flags, "--dry-run=server"], { input }),
  );
  if (output.exitCode === 0) {
    const { manifest, chart } = v.parse(DryRun, JSON.parse(output.stdout));
    return { manifest, defaults: chart.values };
  }
  throw helmError(
    `Release ${release.name} in namespace ${release.namespace} can't be ${done} with chart ${chart.version} and these values; nothing was changed.`,
    output,
    {
      fix: "correct what Helm complains about: check values, values_files, chart_version and post_renderer.",
    },
  );
}
