import { isDeepStrictEqual } from "node:util";
import { allOf } from "../base/async.ts";
import { info, warning } from "../base/log.ts";
import type { YamlMap } from "../base/yaml.ts";
import { givenValues, withOverlay } from "../helm/helm-values.ts";
import { manifestDifferences, parseManifest } from "../helm/manifest.ts";
import { withManifest } from "../helm/pinned-manifest.ts";
import { renderUpgrade } from "../helm/render.ts";
import { readRevision } from "../helm/stored-release.ts";
import type { Access } from "../observe/access.ts";
import { CONFIGURATION, observeReleaseObjects, WORKLOADS } from "../observe/release-objects.ts";
import { liveEdits } from "../plan/live-edits.ts";
import { describeLostEdit } from "../plan/rendered.ts";
import { keptReplicas, refuseScalingDown } from "../plan/replicas.ts";
import { type FieldChange, secretsIn, shownField } from "../plan/shown-fields.ts";
import { switchOverManifest } from "../plan/switch-over.ts";
import type { RunReport } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";
import { type HelmUpgrade, upgradeOrRollBack } from "./release.ts";

/** An upgrade that changes nothing but Milvus's Service. */
export interface ServiceUpgrade extends Pick<HelmUpgrade, "title" | "change" | "release" | "chart" | "plan"> {
  /** The Service's name. */
  service: string;
  /** The values of the inputs: a number of pods among them wins over the live one. */
  requested: YamlMap;
}

/**
 * Makes or takes away the layer-4 load balancer by an upgrade that changes nothing but the Service. The plan
 * may be an hour old: if somebody has scaled the release since, the new number of pods stays.
 *
 * @returns the new revision
 * @throws ActionError when the upgrade fails, or would take pods away
 */
export async function upgradeService(
  settings: Parameters<typeof upgradeOrRollBack>[0],
  session: Session,
  access: Access,
  { service, requested, ...helmUpgrade }: ServiceUpgrade,
): Promise<number> {
  const { api } = access;
  const helm = await access.helm();
  const { report, directory } = session;
  const { release, chart, plan } = helmUpgrade;
  const [{ manifest: stored }, live] = await allOf([
    readRevision(api, release, release.revision),
    observeReleaseObjects(api, release.name, release.namespace, [...WORKLOADS, ...CONFIGURATION]),
  ]);
  const recorded = [...parseManifest(stored).values()];
  const replicas = keptReplicas(live, recorded, requested);
  const values = withOverlay(plan.values, replicas.values);
  const rendering = await renderUpgrade(helm, { release, chart, values, directory });
  const manifest = switchOverManifest(stored, rendering.manifest, service);
  const wanted = [...parseManifest(manifest).values()];
  refuseScalingDown(live, wanted, requested);
  const secrets = [...secretsIn(release.values), ...secretsIn(givenValues(values))];
  const edits = liveEdits(live, recorded, wanted).map((edit) => shownField(edit, secrets));
  reportUnplanned(report, replicas.notes, edits);

  const make = (by: typeof helm) =>
    upgradeOrRollBack(
      settings,
      session,
      { ...access, helm: async () => by },
      { ...helmUpgrade, plan: { ...plan, values } },
    );
  const isRendered = manifestDifferences(rendering.manifest, manifest).length === 0;
  return isRendered
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
