import semver from "semver";

/** What an input such as `helm_version` asks for. */
export type Wanted =
  | { kind: "auto" }
  | { kind: "latest" }
  | { kind: "exact"; version: string }
  | { kind: "range"; range: string };

/**
 * Returns what the text of a version input means: `auto`, `latest`, an exact version (with or without `v`) or
 * a semver range such as `1.35` or `>=3.18 <4`. Returns undefined for anything else.
 */
export function parseWanted(text: string): Wanted | undefined {
  const wanted = text.trim();
  if (wanted === "auto" || wanted === "latest") return { kind: wanted };
  const version = semver.valid(wanted);
  if (version) return { kind: "exact", version };
  // semver takes the empty text for "any".
  const range = wanted === "" ? null : semver.validRange(wanted);
  return range === null ? undefined : { kind: "range", range };
}

/**
 * Returns the version that a program or a cluster says it has, without `v`, or undefined when it says none. A
 * vendor's suffix (`v1.32.4-dispatcher`, `v1.35.4-gke.1398000`) is left out: semver would take it for something
 * older than the release it is made from. Alpha, beta and rc are older indeed, and stay.
 */
export function parseReported(text: string): string | undefined {
  const version = semver.parse(text.trim());
  if (!version) return undefined;
  if (/^(alpha|beta|rc)/.test(String(version.prerelease[0]))) return version.version;
  return `${version.major}.${version.minor}.${version.patch}`;
}

/** A series of releases whose newest one is published under a pointer, e.g. `release/stable-1.35.txt`. */
export interface ReleaseLine {
  /** What the series holds, as a semver range. */
  range: string;
  /** Path of the pointer under the mirror. */
  pointer: string;
}

/**
 * Returns the line in which the newest version of a range must lie, if any.
 *
 * @param lines newest first
 */
export function lineOf(range: string, lines: readonly ReleaseLine[]): ReleaseLine | undefined {
  return lines.find((line) => semver.intersects(line.range, range));
}
