import { isMap } from "../base/yaml.ts";
import { type FieldDifference, fieldPath, itemKeyOf } from "./field-difference.ts";
import { quantityOf } from "./quantity.ts";

/**
 * Returns the fields of `wanted` that have another value in `live`: `before` is what is live, `after` what is
 * wanted. What only `live` has doesn't count, apart from items of a list without keys. Values that the API
 * server stores alike are equal.
 */
export function unmetFields(wanted: unknown, live: unknown, path = ""): FieldDifference[] {
  if (isEmpty(wanted)) return isEmptied(wanted, live, path) ? [{ path, before: live, after: wanted }] : [];
  if (isMap(wanted)) {
    const there = isMap(live) ? live : {};
    return Object.entries(wanted).flatMap(([key, value]) => {
      return unmetFields(value, Object.hasOwn(there, key) ? there[key] : undefined, fieldPath(path, key));
    });
  }
  if (Array.isArray(wanted) && Array.isArray(live)) {
    const key = itemKeyOf(wanted, live);
    if (key !== undefined) {
      return wanted.filter(isMap).flatMap((item) => {
        const twin = live.filter(isMap).find((other) => String(other[key]) === String(item[key]));
        const place = `${path}[${String(item[key])}]`;
        return twin ? unmetFields(item, twin, place) : [{ path: place, before: undefined, after: item }];
      });
    }
    if (wanted.length === live.length) {
      return wanted.flatMap((item, index) => unmetFields(item, live[index], `${path}[${index}]`));
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

/** Maps of texts, in which the API server stores empty ones too. */
const TEXTS = /^(data|binaryData)\b|(^|\.)(labels|annotations|nodeSelector)\b/;
/** The value of an environment variable. */
const VARIABLE = /\.env\[.*\]\.value$/;
/** What Kubernetes fills in when it is 0. */
const ALLOCATED = /\.(nodePort|healthCheckNodePort)$/;

/**
 * Tells whether an empty field overwrites what is live. In most fields an empty text stands
 * for the API server's default.
 */
function isEmptied(wanted: unknown, live: unknown, path: string): boolean {
  if (wanted === "" && TEXTS.test(path)) return live !== "";
  if (wanted === "" && VARIABLE.test(path)) return !isEmpty(live);
  if (wanted === 0 && !ALLOCATED.test(path)) return typeof live === "number" && live !== 0;
  if (Array.isArray(wanted)) return Array.isArray(live) && live.some((item) => !isMap(item));
  return wanted === false && live === true;
}

/** The API server doesn't store a field that is empty, or has the zero of its type. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isMap(value)) return Object.keys(value).length === 0;
  return value === null || value === undefined || value === "" || value === false || value === 0;
}
