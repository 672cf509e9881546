import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { YamlMap } from "../base/yaml.ts";
import type { LocalChart } from "../helm/chart.ts";
import { formerDefaults } from "../helm/former-defaults.ts";
import type { HelmValues } from "../helm/helm-values.ts";
import { manifestDifferences } from "../helm/manifest.ts";
import type { Release } from "../helm/release.ts";
import { renderAsInstalled, renderUpgrade } from "../helm/render.ts";
import type { StoredRelease } from "../helm/stored-release.ts";
import type { Helm } from "../helm/upgrade.ts";
import { joinValues } from "../helm/values.ts";
import { nextUpgrade, type ReleasePlan, type UpgradePlan } from "../plan/release.ts";
import type { Rendered } from "../plan/rendered.ts";

/** What is rendered, by which Helm, with which chart. */
export interface RenderTarget {
  helm: Helm;
  release: Release;
  chart: LocalChart;
  /** A private folder. */
  directory: string;
}

/**
 * Renders the release's own chart version with the wanted values and with the release's own, side by side.
 *
 * @param options `replan` makes the plan again, with former defaults that the release keeps. With
 *   `takesDefaults`, a chart that can't be rendered with them is rendered with its own
 */
export async function renderSameVersion(
  target: RenderTarget,
  base: StoredRelease,
  options: {
    plan: ReleasePlan;
    next: UpgradePlan;
    replan: (kept: YamlMap) => ReleasePlan;
    takesDefaults: boolean;
  },
): Promise<{ plan: ReleasePlan } & Pick<Rendered, "baselines" | "installed" | "wanted" | "hooks">> {
  const { helm, release } = target;
  const render = (values: HelmValues) => renderUpgrade(helm, { ...target, values });
  let { plan } = options;
  let kept: YamlMap = {};
  let [baseline, wanted] = await allOf([render(ownValues(release, kept)), render(options.next.values)]);
  const former = formerDefaults(base.chart.values, baseline.defaults);
  if (!isEmpty(former)) {
    const replanned = options.replan(former);
    const { values } = nextUpgrade(replanned) ?? options.next;
    try {
      [baseline, wanted] = await allOf([render(ownValues(release, former)), render(values)]);
      plan = replanned;
      kept = former;
    } catch (error) {
      if (!options.takesDefaults) throw otherDefaultsError(release, error);
    }
  }
  const rendered = { plan, wanted: wanted.manifest, hooks: wanted.hooks };
  if (manifestDifferences(base.manifest, baseline.manifest).length === 0) {
    return { ...rendered, baselines: [baseline.manifest], installed: undefined };
  }
  // A field that two equal renderings make differently is random. The rendering as an installation shows the
  // fields that the chart sets only then.
  const [again, installed] = await allOf([
    render(ownValues(release, kept)),
    renderAsInstalled(helm, { ...target, values: ownInWhole(release, kept) }),
  ]);
  return { ...rendered, baselines: [baseline.manifest, again.manifest], installed };
}

/** Returns a release's own values, with the defaults that it keeps beneath them. */
function ownValues(release: Release, kept: YamlMap): HelmValues {
  return isEmpty(kept) ? { kind: "over", files: [], overlay: {} } : ownInWhole(release, kept);
}

/** Returns the error for a chart that can't be rendered with the defaults that the release was made with. */
function otherDefaultsError({ name, namespace, chart, chartVersion }: Release, error: unknown): unknown {
  if (!(error instanceof ActionError)) return error;
  return new ActionError(
    `Release ${name} in namespace ${namespace} was made with other defaults than chart ${chart} ${chartVersion} has, and the chart can't be rendered with those; nothing was changed.`,
    {
      why: error.why ?? error.message,
      fix: `if the release was made from another chart of this name and version, set chart (and chart_repository) to that one. To take this chart with its own defaults, set chart_version: ${chartVersion}.`,
    },
  );
}

/** Returns all values of a release, with the defaults that it keeps beneath them. */
function ownInWhole({ values }: Pick<Release, "values">, kept: YamlMap): HelmValues {
  return { kind: "instead", values: joinValues(kept, values) };
}

function isEmpty(values: YamlMap): boolean {
  return Object.keys(values).length === 0;
}
