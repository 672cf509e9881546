import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { YamlMap } from "../base/yaml.ts";
import type { LocalChart } from "../helm/chart.ts";
import { formerDefaults } from "../helm/former-defaults.ts";
import type { HelmValues } from "../helm/helm-values.ts";
import { manifestDifferences } from "../helm/manifest.ts";
import { NOT_INSTALLED, type Release } from "../helm/release.ts";
import { refuseOtherChart } from "../helm/release-state.ts";
import { renderAsInstalled, renderInstall, renderUpgrade } from "../helm/render.ts";
import { chartFor } from "../helm/stored-chart.ts";
import { joinValues } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "../observe/access.ts";
import type { Observed } from "../observe/observed.ts";
import { CONFIGURATION, observeReleaseObjects } from "../observe/release-objects.ts";
import { refuseUndone } from "../plan/other-deployers.ts";
import { nextUpgrade, planRelease, type ReleasePlan } from "../plan/release.ts";
import type { Rendered } from "../plan/rendered.ts";
import { switchOverManifest } from "../plan/switch-over.ts";
import type { Session } from "../report/session.ts";
import { reportOverlay } from "../report/values-overlay.ts";

/** The plan for the release, its chart, and what Helm would make of it. */
export interface RenderedRelease {
  plan: ReleasePlan;
  /** Undefined when the release stays as it is. */
  chart: LocalChart | undefined;
  /** What comes first: the upgrade before Milvus answers, or the one after that. Undefined when there is none. */
  rendered: Rendered | undefined;
}

/**
 * Has Helm render the planned upgrade: with the wanted values and with the release's own, side by side. A release with
 * the defaults of another chart is planned again, so that it keeps them.
 *
 * @throws ActionError when the chart can't be fetched or rendered, or another tool would undo the upgrade
 */
export async function renderRelease(
  settings: Settings,
  { directory, report }: Pick<Session, "directory" | "report">,
  { api, helm }: Pick<Access, "api" | "helm">,
  observed: Observed,
): Promise<RenderedRelease> {
  const { release, chart: known } = observed;
  const plan = planRelease(settings, observed);
  await reportOverlay({ directory, report }, plan.overlay);
  refuseUndone(observed, plan.upgrade?.reasons ?? [], plan.overlay);
  const { chartVersion } = plan;
  const next = nextUpgrade(plan);
  if (!next) return { plan, chart: undefined, rendered: undefined };
  const { chart: name, chartRepository: repository, chartLogin: login } = settings;
  const reference = { chart: name, repository, login, version: chartVersion };
  const chart = known ?? (await chartFor(helm, reference, release, directory));
  refuseOtherChart(release, chart.name);

  const render = (values: HelmValues) => renderUpgrade(helm, { release, chart, values, directory });
  const { base } = release;
  if (release.status === NOT_INSTALLED || !base) {
    const { manifest, hooks } = await renderInstall(helm, {
      release,
      chart,
      values: next.values,
      directory,
    });
    return {
      plan,
      chart,
      rendered: { chart, baselines: [], installed: undefined, wanted: manifest, hooks, live: [] },
    };
  }
  const observing = observeReleaseObjects(api, release.name, release.namespace, CONFIGURATION);
  // The rendering is awaited first. A rejection until then is reported below.
  observing.catch(() => {});
  if (chart.version !== release.chartVersion) {
    const { manifest, hooks } = await render(next.values);
    return {
      plan,
      chart,
      rendered: {
        chart,
        baselines: [],
        installed: undefined,
        wanted: manifest,
        hooks,
        live: await observing,
      },
    };
  }
  const own = (kept: YamlMap): HelmValues =>
    isEmpty(kept) ? { kind: "over", files: [], overlay: {} } : ownInWhole(release, kept);
  let final = { plan, next };
  let [baseline, wanted] = await allOf([render(own({})), render(next.values)]);
  let kept = formerDefaults(base.chart.values, baseline.defaults);
  if (!isEmpty(kept)) {
    const replanned = planRelease(settings, observed, kept);
    const withKept = { plan: replanned, next: nextUpgrade(replanned) ?? next };
    try {
      [baseline, wanted] = await allOf([render(own(kept)), render(withKept.next.values)]);
      final = withKept;
    } catch (error) {
      // An explicit chart_version takes the chart as it is.
      if (settings.chartVersion === undefined) throw otherDefaultsError(release, error);
      kept = {};
    }
  }
  const isSame = manifestDifferences(base.manifest, baseline.manifest).length === 0;
  const [again, installed] = isSame
    ? [undefined, undefined]
    : await allOf([
        render(own(kept)),
        renderAsInstalled(helm, { release, chart, values: ownInWhole(release, kept), directory }),
      ]);
  const baselines = [baseline, ...(again ? [again] : [])].map(({ manifest }) => manifest);
  return {
    plan: final.plan,
    chart,
    rendered: {
      chart,
      baselines,
      installed,
      wanted: final.plan.upgrade
        ? wanted.manifest
        : switchOverManifest(base.manifest, wanted.manifest, observed.service.metadata.name),
      hooks: wanted.hooks,
      live: await observing,
    },
  };
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
