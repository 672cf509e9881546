import { isDeepStrictEqual } from "node:util";
import { ActionError } from "../base/errors.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { type ManifestDifference, manifestDifferences } from "../helm/manifest.ts";
import type { Release } from "../helm/release.ts";
import { describeField, linesWithout, secretsIn, shownField } from "./shown-fields.ts";

/** Kinds that an upgrade must not change unasked. Jobs and hooks may belong to the installation only. */
const KEPT = /^(Deployment|StatefulSet|DaemonSet|Service|ConfigMap|PersistentVolumeClaim)$/;
/** A checksum of another object, which is compared itself. */
const CHECKSUM = /annotations\["checksum\//;
const SHOWN = 10;

/** The manifest of a release, and those that its chart renders now. */
export interface Renderings {
  stored: string;
  /** With the release's own values, several times: what differs between two of these is random. */
  baselines: readonly string[];
  /** With the release's own values, as at its installation; undefined when the baseline is what is stored. */
  installed: string | undefined;
  /** With the values of the upgrade. */
  wanted: string;
}

/**
 * Returns the changes of an upgrade for which no value asks. Their causes are another chart of the same name
 * and version, a missing post-renderer, or a number that Helm reads differently.
 */
export function unaskedChanges({ stored, baselines, installed, wanted }: Renderings): ManifestDifference[] {
  const [baseline = stored, again = baseline] = baselines;
  const random = new Set(manifestDifferences(baseline, again).map(placeOf));
  const changes = manifestDifferences(stored, wanted);
  // A field that an installation renders as it is stored is no sign of another chart.
  const otherAtInstallation = installed === undefined ? undefined : manifestDifferences(stored, installed);
  const isOfInstallation = (unasked: ManifestDifference) =>
    otherAtInstallation !== undefined &&
    // An installation reads the number from a file, not from the release, and loses nothing.
    lostIntegers(unasked).length === 0 &&
    !otherAtInstallation.some((other) => isSamePlace(unasked, other));
  return manifestDifferences(stored, baseline).filter(
    (unasked) =>
      KEPT.test(unasked.kind) &&
      !CHECKSUM.test(unasked.path) &&
      !random.has(placeOf(unasked)) &&
      !isOfInstallation(unasked) &&
      changes.some((change) => hasEffect(unasked, change)),
  );
}

function placeOf({ kind, name, path }: ManifestDifference): string {
  return JSON.stringify([kind, name, path]);
}

/** Tells whether two differences are at the same field of an object, or one is within the other. */
function isSamePlace(one: ManifestDifference, other: ManifestDifference): boolean {
  if (one.kind !== other.kind || one.name !== other.name) return false;
  return one.path.startsWith(other.path) || other.path.startsWith(one.path);
}

/** Tells whether an unasked change is part of what the upgrade changes. */
function hasEffect(unasked: ManifestDifference, change: ManifestDifference): boolean {
  if (!isSamePlace(unasked, change)) return false;
  if (unasked.path !== change.path) return true;
  const { before, after } = unasked;
  if (typeof before !== "string" || typeof after !== "string" || typeof change.after !== "string") {
    return isDeepStrictEqual(after, change.after);
  }
  const [gone, come] = [linesWithout(before, after), linesWithout(after, before)];
  const [changeGone, changeCome] = [linesWithout(before, change.after), linesWithout(change.after, before)];
  return (
    (come.length > 0 && come.some((line) => changeCome.includes(line))) ||
    (come.length === 0 && gone.some((line) => changeGone.includes(line)))
  );
}

/** Returns the error for a release that its chart renders differently now. */
export function unaskedChangesError(release: Release, unasked: readonly ManifestDifference[]): ActionError {
  const { name, namespace, chart, chartVersion } = release;
  const secrets = secretsIn(release.values);
  const lines = unasked.slice(0, SHOWN).map((difference) => describeField(shownField(difference, secrets)));
  const more = unasked.length > SHOWN ? [`and ${unasked.length - SHOWN} more`] : [];
  const numbers = [...new Set(unasked.flatMap(lostIntegers))];
  const paths = numbers.flatMap((number) => pathsOf(release.values, number));
  const isNumbersOnly = unasked.every((difference) => lostIntegers(difference).length > 0);
  return new ActionError(
    `The upgrade would change what no value asks to change in release ${name} in namespace ${namespace}; nothing was changed.`,
    {
      why: [
        `with the release's own values, chart ${chart} ${chartVersion} renders something else than what is deployed:`,
        ...lines,
        ...more,
      ].join("\n"),
      fix: [
        ...(numbers.length > 0
          ? [
              `Helm writes ${numbers.join(", ")} in another form after it has read the number back: give ${paths.join(", ") || "the value"} in quotes with the input values.`,
            ]
          : []),
        ...(isNumbersOnly
          ? []
          : [
              `if the release was made from another chart of this name and version, set chart (and chart_repository) to that one; if a post-renderer has changed it, set post_renderer.`,
            ]),
        `To take this chart as it is, set chart_version: ${chartVersion}.`,
      ].join(" "),
    },
  );
}

/** Returns the integers that a text has lost to Go's notation for large floating-point numbers. */
function lostIntegers({ before, after }: ManifestDifference): string[] {
  if (typeof before !== "string" || typeof after !== "string") return [];
  const gone = linesWithout(before, after).join("\n");
  const exponents =
    linesWithout(after, before)
      .join("\n")
      .match(/\d(\.\d+)?e\+\d+/g) ?? [];
  const integers = exponents.map((text) => BigInt(Number(text)).toString());
  return integers.filter((integer) => new RegExp(`(?<!\\d)${integer}(?!\\d)`).test(gone));
}

function pathsOf(values: YamlMap, number: string, path: readonly string[] = []): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const here = [...path, key];
    if (isMap(value)) return pathsOf(value, number, here);
    return typeof value === "number" && String(value) === number ? [here.join(".")] : [];
  });
}
