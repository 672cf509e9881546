import { isMap, type YamlMap } from "../base/yaml.ts";
/** A field of an object that an upgrade sets back. */
export interface LiveEdit {
  kind: string;
  name: string;
  path: string;
  before: unknown;
  after: unknown;
}

import { differences, fieldPath, itemKeyOf } from "../kubernetes/field-difference.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { quantityOf } from "../kubernetes/quantity.ts";

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
    return editsIn(withoutIdentity(object), withoutIdentity(now), "")
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

type Edit = Pick<LiveEdit, "path" | "before" | "after">;

/** Returns the fields of `wanted` that have another value in `live`. */
function editsIn(wanted: unknown, live: unknown, path: string): Edit[] {
  if (isEmpty(wanted))
    return wanted === false && live === true ? [{ path, before: live, after: wanted }] : [];
  if (isMap(wanted)) {
    const there = isMap(live) ? live : {};
    return Object.entries(wanted).flatMap(([key, value]) => {
      return editsIn(value, Object.hasOwn(there, key) ? there[key] : undefined, fieldPath(path, key));
    });
  }
  if (Array.isArray(wanted) && Array.isArray(live)) {
    const key = itemKeyOf(wanted, live);
    if (key !== undefined) {
      return wanted.filter(isMap).flatMap((item) => {
        const twin = live.filter(isMap).find((other) => String(other[key]) === String(item[key]));
        const place = `${path}[${String(item[key])}]`;
        return twin ? editsIn(item, twin, place) : [{ path: place, before: undefined, after: item }];
      });
    }
    if (wanted.length === live.length) {
      return wanted.flatMap((item, index) => editsIn(item, live[index], `${path}[${index}]`));
    }
  }
  return means(wanted, live, path) ? [] : [{ path, before: live, after: wanted }];
}

/** Tells whether the API server stores both alike: it writes quantities and numbers its own way. */
function means(wanted: unknown, live: unknown, path: string): boolean {
  if (typeof wanted === "object" || typeof live === "object") return false;
  if (String(wanted) === String(live)) return true;
  if (!/\b(resources|requests|limits|storage|sizeLimit|capacity)\b/.test(path)) return false;
  const [one, other] = [quantityOf(wanted), quantityOf(live)];
  return one !== undefined && one === other;
}

/** The API server doesn't store a field that is empty, or has the zero of its type. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isMap(value)) return Object.keys(value).length === 0;
  return value === null || value === undefined || value === "" || value === false || value === 0;
}

function isWithin(path: string, other: string): boolean {
  return path === other || (path.startsWith(other) && /^[.[]/.test(path.slice(other.length)));
}
