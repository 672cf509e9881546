import { isMap } from "../base/yaml.ts";
import type { ManifestDifference } from "../helm/manifest.ts";

/** A field that changes, without secrets. */
export interface FieldChange {
  kind: string;
  name: string;
  /** Empty: the object as a whole. */
  path: string;
  /** Undefined: it isn't there. */
  before: string | undefined;
  after: string | undefined;
}

const HIDDEN = "***";
const LONGEST = 200;
/** How many characters of a checksum a line has. */
const CHECKSUM_SHOWN = 12;
/** Names of fields that are likely to hold a secret. A field with the name of a Secret holds none. */
const SECRETIVE = /pass(word|wd|phrase)|secret(?!Name)|token|credential|(api|access|private)[-_.]?key/i;
const SECRET_IN_LINE = new RegExp(`((${SECRETIVE.source})[\\w.-]*["']?\\s*[:=]).*`, "i");
const PASSWORD_IN_URL = /(:\/\/[^\s/:@]*):[^\s/@]*@/g;
/** A shorter text is no secret, and part of many others. */
const SHORTEST_SECRET = 4;

/**
 * Returns a difference without secrets. Of a text of several lines it has only the lines that differ.
 *
 * @param secrets texts that mustn't be shown, wherever they are
 */
export function shownField(
  { kind, name, path, before, after }: ManifestDifference,
  secrets: readonly string[],
): FieldChange {
  const isHidden = kind === "Secret" || SECRETIVE.test(path);
  const [one, other] =
    typeof before === "string" && typeof after === "string"
      ? [linesWithout(before, after).join("\n"), linesWithout(after, before).join("\n")]
      : [before, after];
  const show = (value: unknown) => (isHidden && value !== undefined ? HIDDEN : shown(value, secrets));
  return { kind, name, path, before: show(one), after: show(other) };
}

/** Returns the texts in values whose names say that they are secrets. */
export function secretsIn(values: unknown, isSecret = false): string[] {
  if (typeof values === "string") return isSecret && values.length >= SHORTEST_SECRET ? [values] : [];
  if (Array.isArray(values)) return values.flatMap((item) => secretsIn(item, isSecret));
  if (!isMap(values)) return [];
  return Object.entries(values).flatMap(([key, below]) => secretsIn(below, isSecret || SECRETIVE.test(key)));
}

/** Tells whether a text may hold a secret: a line of it looks like one. */
export function mayHoldSecrets(text: string): boolean {
  return SECRET_IN_LINE.test(text) || text.search(PASSWORD_IN_URL) >= 0;
}

/** Returns a changed field as a line. */
export function describeField({ kind, name, path, before, after }: FieldChange): string {
  if (path === "") return `${kind} ${name} ${before === undefined ? "is new" : "goes"}`;
  return `${kind} ${name}: ${describeChange({ path, before, after })}`;
}

/** Returns a change of a field as a text. */
export function describeChange({
  path,
  before,
  after,
}: Pick<FieldChange, "path" | "before" | "after">): string {
  // A checksum only says that something else changes.
  const show = (value = "") =>
    (path.includes("checksum/") ? value.slice(0, CHECKSUM_SHOWN) : value) || "nothing";
  return `${path}: ${show(before)} -> ${show(after)}`;
}

/** Returns the lines of a text that another text doesn't have, in their order. */
export function linesWithout(text: string, other: string): string[] {
  const left = new Map<string, number>();
  for (const line of other.split("\n")) left.set(line, (left.get(line) ?? 0) + 1);
  return text.split("\n").filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

function shown(value: unknown, secrets: readonly string[]): string | undefined {
  if (value === undefined) return undefined;
  const open = withoutSecrets(value);
  const text = secrets.reduce(
    (left, secret) => left.replaceAll(secret, HIDDEN),
    typeof open === "string" ? open : JSON.stringify(open),
  );
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") {
    return value
      .split("\n")
      .map((line) =>
        line.trim().replace(SECRET_IN_LINE, `$1 ${HIDDEN}`).replace(PASSWORD_IN_URL, `$1:${HIDDEN}@`),
      )
      .join("; ");
  }
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isMap(value)) return value;
  // An environment variable has its name beside its value.
  const isHidden = typeof value.name === "string" && SECRETIVE.test(value.name);
  return Object.fromEntries(
    Object.entries(value).map(([key, below]) => [
      key,
      SECRETIVE.test(key) || (isHidden && key === "value") ? HIDDEN : withoutSecrets(below),
    ]),
  );
}
