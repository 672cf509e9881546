import type { YamlMap } from "../base/yaml.ts";
import { differences } from "../kubernetes/field-difference.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { unmetFields } from "../kubernetes/unmet-fields.ts";

/** A live field that an upgrade overwrites. */
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
 * Returns the fields that somebody has changed on the live objects and that an upgrade sets back: `before` is
 * what is live, `after` what the chart renders. Only fields of the manifest count: Helm leaves all others
 * alone, with its three-way merge (Helm 3) and with server-side apply (Helm 4) alike. A field that the
 * upgrade changes itself is no edit: the plan lists it among its changes.
 *
 * @param recorded the objects of the deployed revision's manifest
 * @param wanted the objects that the upgrade would make
 */
export function liveEdits(
  live: readonly KubernetesObject[],
  recorded: readonly RenderedObject[],
  wanted: readonly RenderedObject[],
): LiveEdit[] {
  const isOf = (edit: LiveEdit) => (object: RenderedObject) =>
    object.kind === edit.kind && object.metadata.name === edit.name;
  const offRecord = overwrites(live, recorded);
  return overwrites(live, wanted).filter((edit) => {
    const before = recorded.find(isOf(edit));
    const changes = differences(before, wanted.find(isOf(edit))).map(({ path }) => path);
    if (!before || changes.some((change) => isWithin(edit.path, change))) return false;
    // The upgrade may change one item of a list, and somebody else another item.
    const isPartly = changes.some((change) => isWithin(change, edit.path));
    return !isPartly || offRecord.some((other) => isSamePlace(edit, other));
  });
}

function isSamePlace(one: LiveEdit, other: LiveEdit): boolean {
  return (
    one.kind === other.kind &&
    one.name === other.name &&
    (isWithin(one.path, other.path) || isWithin(other.path, one.path))
  );
}

/**
 * Returns all fields that an upgrade overwrites in the live objects, whoever set them.
 *
 * @param wanted the objects that the upgrade would make
 */
export function overwrites(live: readonly KubernetesObject[], wanted: readonly RenderedObject[]): LiveEdit[] {
  return wanted.flatMap((object) => {
    const { kind, metadata } = object;
    const now = live.find((other) => other.kind === kind && other.metadata.name === metadata.name);
    if (!now) return [];
    return unmetFields(withoutIdentity(object), withoutIdentity(now)).map((edit) => ({
      kind,
      name: metadata.name,
      ...edit,
    }));
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
