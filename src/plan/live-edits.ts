import type { YamlMap } from "../base/yaml.ts";
import { differences } from "../kubernetes/field-difference.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { unmetFields } from "../kubernetes/unmet-fields.ts";

/** A field of an object that an upgrade sets back. */
export interface LiveEdit {
  kind: string;
  name: string;
  path: string;
  before: unknown;
  after: unknown;
}

/** An object as a chart renders it. */
interface RenderedObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  [field: string]: unknown;
}

/**
 * Returns the fields that somebody has changed on the live objects and that an upgrade sets back: `before` is what is
 * live, `after` what the chart renders. Only fields of the manifest count: Helm leaves all others alone, with its
 * three-way merge (Helm 3) and with server-side apply (Helm 4) alike. A field that the upgrade changes itself is no
 * edit: the plan lists it among its changes.
 *
 * @param recorded the objects of the deployed revision's manifest
 * @param wanted the objects that the upgrade would make
 */
export function liveEdits(
  live: readonly KubernetesObject[],
  recorded: readonly RenderedObject[],
  wanted: readonly RenderedObject[],
): LiveEdit[] {
  return wanted.flatMap((object) => {
    const isSame = (other: RenderedObject) =>
      other.kind === object.kind && other.metadata.name === object.metadata.name;
    const now = live.find(isSame);
    const before = recorded.find(isSame);
    if (!now || !before) return [];
    const changes = differences(before, object).map(({ path }) => path);
    const { kind, metadata } = object;
    return unmetFields(withoutIdentity(object), withoutIdentity(now))
      .filter(({ path }) => !changes.some((change) => isWithin(path, change) || isWithin(change, path)))
      .map((edit) => ({ kind, name: metadata.name, ...edit }));
  });
}

/** Compares the parts that both sides have and that users set. */
function withoutIdentity({
  apiVersion: _,
  kind: __,
  status: ___,
  metadata,
  ...content
}: RenderedObject): YamlMap {
  const { labels, annotations }: YamlMap = { ...metadata };
  return { metadata: { labels, annotations }, ...content };
}

function isWithin(path: string, other: string): boolean {
  return path === other || (path.startsWith(other) && /^[.[]/.test(path.slice(other.length)));
}
