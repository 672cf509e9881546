import { isDeepStrictEqual } from "node:util";
import { allOf } from "../base/async.ts";
import { info, warning } from "../base/log.ts";
import type { LocalChart } from "../helm/chart.ts";
import { givenValues, withOverlay } from "../helm/helm-values.ts";
import { manifestDifferences, parseManifest } from "../helm/manifest.ts";
import { withManifest } from "../helm/pinned-manifest.ts";
import type { Release } from "../helm/release.ts";
import { renderUpgrade } from "../helm/render.ts";
import { readRevision } from "../helm/stored-release.ts";
import type { Settings } from "../inputs/settings.ts";
import { requestedValues } from "../inputs/values.ts";
import type { Access } from "../observe/access.ts";
import { CONFIGURATION, observeReleaseObjects, WORKLOADS } from "../observe/release-objects.ts";
import { liveEdits } from "../plan/live-edits.ts";
import type { UpgradePlan } from "../plan/release.ts";
import { describeLostEdit } from "../plan/rendered.ts";
import { keptReplicas, refuseScalingDown } from "../plan/replicas.ts";
import { type FieldChange, secretsIn, shownField } from "../plan/shown-fields.ts";
import { switchOverManifest } from "../plan/switch-over.ts";
import { LATER_UPGRADE, type RunReport } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";
import { type HelmUpgrade, upgradeOrRollBack } from "./release.ts";

const TITLE = "Remove the layer-4 load balancer";

/**
 * Takes the layer-4 load balancer away by an upgrade that changes nothing but the Service. The plan may be an
 * hour old: if somebody has scaled the release since, the new number of pods stays.
 *
 * @param service the name of Milvus's Service
 * @param release as it is now
 * @throws ActionError when the upgrade fails, or would take pods away
 */
export async function removeLayer4(
  settings: Settings,
  session: Session,
  access: Access,
  {
    service,
    release,
    chart,
    switchOver,
  }: {
    service: string;
    release: Release;
    chart: LocalChart;
    switchOver: UpgradePlan;
  },
): Promise<void> {
  const { api, helm } = access;
  const { report, directory } = session;
  const [{ manifest: stored }, live] = await allOf([
    readRevision(api, release, release.revision),
    observeReleaseObjects(api, release.name, release.namespace, [...WORKLOADS, ...CONFIGURATION]),
  ]);
  const recorded = [...parseManifest(stored).values()];
  const requested = requestedValues(settings);
  const replicas = keptReplicas(live, recorded, requested);
  const values = withOverlay(switchOver.values, replicas.values);
  const rendering = await renderUpgrade(helm, { release, chart, values, directory });
  const manifest = switchOverManifest(stored, rendering.manifest, service);
  const wanted = [...parseManifest(manifest).values()];
  refuseScalingDown(live, wanted, requested);
  const secrets = [...secretsIn(release.values), ...secretsIn(givenValues(values))];
  const edits = liveEdits(live, recorded, wanted).map((edit) => shownField(edit, secrets));
  reportUnplanned(report, replicas.notes, edits);

  const plan = { ...switchOver, values };
  const helmUpgrade: HelmUpgrade = { title: TITLE, change: LATER_UPGRADE, release, chart, plan };
  const make = (by: typeof helm) =>
    upgradeOrRollBack(settings, session, { ...access, helm: by }, helmUpgrade);
  const isRendered = manifestDifferences(rendering.manifest, manifest).length === 0;
  report.releaseRevision = isRendered
    ? await make(helm)
    : await withManifest(helm, { manifest, hooks: rendering.hooks }, directory, make);
}

/** Adds to the plan what others have changed since it was made, and logs it. */
function reportUnplanned({ plan }: RunReport, notes: readonly string[], edits: readonly FieldChange[]): void {
  const newNotes = notes.filter((note) => !plan?.consequences.includes(note));
  const newEdits = edits.filter((edit) => !plan?.edits.some((planned) => isDeepStrictEqual(planned, edit)));
  for (const note of newNotes) info(note);
  for (const edit of newEdits) warning(describeLostEdit(edit));
  plan?.consequences.push(...newNotes);
  plan?.edits.push(...newEdits);
}
