import type { YamlMap } from "../base/yaml.ts";
import type { LocalChart } from "../helm/chart.ts";
import type { HelmValues } from "../helm/helm-values.ts";
import { NOT_INSTALLED } from "../helm/release.ts";
import { refuseOtherChart } from "../helm/release-state.ts";
import { renderInstall, renderUpgrade } from "../helm/render.ts";
import { chartFor } from "../helm/stored-chart.ts";
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
import { type RenderTarget, renderSameVersion } from "./render-same-version.ts";

/** The plan for the release, its chart, and what Helm would make of it. */
export interface RenderedRelease {
  plan: ReleasePlan;
  /** Undefined when the release stays as it is. */
  chart: LocalChart | undefined;
  /**
   * What comes first: the upgrade before Milvus answers, or the one after that. Undefined when there is none.
   */
  rendered: Rendered | undefined;
}

/**
 * Has Helm render the planned upgrade: with the wanted values and with the release's own, side by side. A
 * release with the defaults of another chart is planned again, so that it keeps them.
 *
 * @throws ActionError when the chart can't be fetched or rendered, or another tool would undo the upgrade
 */
export async function renderRelease(
  settings: Settings,
  { directory, report }: Pick<Session, "directory" | "report">,
  { api, helm: findHelm }: Pick<Access, "api" | "helm">,
  observed: Observed,
): Promise<RenderedRelease> {
  const { release, chart: known } = observed;
  const { base } = release;
  const plan = planRelease(settings, observed);
  await reportOverlay({ directory, report }, plan.overlay);
  refuseUndone(observed, plan.upgrade?.reasons ?? [], plan.overlay);
  const { chartVersion } = plan;
  const next = nextUpgrade(plan);
  if (!next) return { plan, chart: undefined, rendered: undefined };
  const helm = await findHelm();
  const { chart: name, chartRepository: repository, chartLogin: login } = settings;
  const reference = { chart: name, repository, login, version: chartVersion };
  const chart = known ?? (await chartFor(helm, reference, release, directory));
  refuseOtherChart(release, chart.name);

  const target = { helm, release, chart, directory };
  if (release.status === NOT_INSTALLED || !base) {
    return { plan, chart, rendered: await renderInstallation(target, next.values) };
  }
  const observing = observeReleaseObjects(api, release.name, release.namespace, CONFIGURATION);
  // The rendering is awaited first. A rejection until then is reported below.
  observing.catch(() => {});
  if (chart.version !== release.chartVersion) {
    const { manifest: wanted, hooks } = await renderUpgrade(helm, { ...target, values: next.values });
    return { plan, chart, rendered: { ...NO_BASELINE, chart, wanted, hooks, live: await observing } };
  }
  const replan = (kept: YamlMap) => planRelease(settings, observed, kept);
  const takesDefaults = settings.chartVersion !== undefined;
  const same = await renderSameVersion(target, base, { plan, next, replan, takesDefaults });
  const { plan: final, baselines, installed, hooks } = same;
  const wanted = final.upgrade
    ? same.wanted
    : switchOverManifest(base.manifest, same.wanted, observed.service.metadata.name);
  const rendered = { chart, baselines, installed, wanted, hooks, live: await observing };
  return { plan: final, chart, rendered };
}

/** Another version of the chart, or a first installation, has nothing to be compared with. */
const NO_BASELINE: Pick<Rendered, "baselines" | "installed"> = { baselines: [], installed: undefined };

async function renderInstallation(target: RenderTarget, values: HelmValues): Promise<Rendered> {
  const { manifest: wanted, hooks } = await renderInstall(target.helm, { ...target, values });
  return { ...NO_BASELINE, chart: target.chart, wanted, hooks, live: [] };
}
