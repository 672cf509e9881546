import { isMap } from "../base/yaml.ts";
import type { LocalChart } from "../helm/chart.ts";
import { givenValues } from "../helm/helm-values.ts";
import type { Hook } from "../helm/hook.ts";
import {
  compareManifests,
  type ManifestChange,
  manifestDifferences,
  parseManifest,
} from "../helm/manifest.ts";
import { valueAt } from "../helm/values.ts";
import { describeVersionChange, trapsBetween } from "../helm/version-change.ts";
import type { Settings } from "../inputs/settings.ts";
import { requestedValues } from "../inputs/values.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { milvusVersionIn, refuseNoEffect } from "../milvus/rendered-objects.ts";
import type { Observed } from "../observe/observed.ts";
import { unaskedChanges, unaskedChangesError } from "./baseline.ts";
import { type LiveEdit, liveEdits, overwrites } from "./live-edits.ts";
import type { UpgradePlan } from "./release.ts";
import { refuseScalingDown } from "./replicas.ts";
import { describeField, type FieldChange, secretsIn, shownField } from "./shown-fields.ts";

/** What Helm would make of the release. */
export interface Rendered {
  chart: LocalChart;
  /**
   * Rendered with the release's own values, once or twice; empty for an
   * installation or another chart version.
   */
  baselines: string[];
  /** Rendered as at an installation; undefined when the baseline is what is stored. */
  installed: string | undefined;
  /** With the values of the upgrade. */
  wanted: string;
  hooks: Hook[];
  /** The live objects of the release that people edit by hand. */
  live: KubernetesObject[];
}

/** What the upgrade does to the objects of the release. */
export interface RenderedPlan extends ManifestChange {
  /** The objects as Helm will apply them, several YAML documents. */
  manifest: string;
  hooks: Hook[];
  /** Every field that changes, in objects that stay. */
  fields: FieldChange[];
  /** Edits by hand that the upgrade sets back: from what is live to what the chart renders. */
  edits: FieldChange[];
  /** Every live field that the upgrade overwrites. Values may be secrets. */
  overwrites: LiveEdit[];
  /** The version of the Milvus that runs afterwards; undefined when the chart doesn't show it. */
  milvusVersion: string | undefined;
  warnings: string[];
}

/** Edits whose loss changes what runs, or with how much memory. */
const COSTLY_EDIT = /\.(image$|resources\b)/;

/**
 * Checks the objects that Helm would make of the release, and lists what changes. Pure.
 *
 * @throws ActionError when the upgrade would change something unasked, or would not have its effect
 */
export function planRendered(
  settings: Pick<Settings, "chartVersion" | "values">,
  { release, service, workloads, milvusVersion: before }: Observed,
  upgrade: UpgradePlan,
  { chart, baselines, installed, wanted, hooks, live }: Rendered,
): RenderedPlan {
  const stored = release.base?.manifest ?? "";
  const unasked = unaskedChanges({ stored, baselines, installed, wanted });
  if (unasked.length > 0 && settings.chartVersion === undefined) throw unaskedChangesError(release, unasked);

  const objects = [...parseManifest(wanted).values()];
  const given = givenValues(upgrade.values);
  const annotations = valueAt(given, "service", "annotations");
  refuseNoEffect(
    objects,
    {
      name: service.metadata.name,
      type: String(valueAt(given, "service", "type")),
      annotations: isMap(annotations) ? stringsOf(annotations) : {},
    },
    chart,
  );

  const secrets = [...secretsIn(release.values), ...secretsIn(given)];
  const recorded = [...parseManifest(stored).values()];
  const current = [...workloads, ...live];
  const edits = liveEdits(current, recorded, objects).map((edit) => shownField(edit, secrets));
  refuseScalingDown(workloads, objects, requestedValues(settings));
  const change = compareManifests(stored, wanted);
  const milvusVersion = milvusVersionIn(objects, service.metadata.name);
  const announcement = describeVersionChange(
    { chart: release.chartVersion, app: before },
    { chart: chart.version, app: milvusVersion ?? "" },
  );
  return {
    ...change,
    manifest: wanted,
    hooks,
    fields: manifestDifferences(stored, wanted)
      .filter(({ path }) => path !== "")
      .map((difference) => shownField(difference, secrets)),
    edits,
    overwrites: overwrites(current, objects),
    milvusVersion,
    warnings: [
      ...edits.filter(({ path }) => COSTLY_EDIT.test(path)).map(describeLostEdit),
      ...(announcement && release.revision > 0 ? [announcement] : []),
      ...trapsBetween(release.chartVersion, chart.version),
      ...change.deletes
        .filter(({ kind }) => kind === "StatefulSet" || kind === "PersistentVolumeClaim")
        .map(({ kind, name }) => `The upgrade deletes ${kind} ${name}: have a backup of what it stores.`),
    ],
  };
}

/** Returns the warning of an edit by hand that an upgrade sets back. */
export function describeLostEdit(edit: FieldChange): string {
  return `The upgrade sets back what was changed by hand: ${describeField(edit)}. To keep it, set it with the input values.`;
}

function stringsOf(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}
