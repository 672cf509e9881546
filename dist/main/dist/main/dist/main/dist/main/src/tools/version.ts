import semver from "semver";

/** The meaning of an input such as `helm_version`. */
export type Wanted =
  | { kind: "auto" }
  | { kind: "latest" }
  | { kind: "exact"; version: string }
  | { kind: "range"; range: string };

/**
 * Parses a version input: `auto`, `latest`, an exact version (with or without `v`) or a semver range such as
 * `1.35` or `>=3.18 <4`. Returns undefined for anything else.
 */
export function parseWanted(text: string): Wanted | undefined {
  const wanted = text.trim();
  if (wanted === "auto" || wanted === "latest") return { kind: wanted };
  const version = semver.valid(wanted);
  if (version) return { kind: "exact", version };
  // For semver an empty text means any version.
  const range = wanted === "" ? null : semver.validRange(wanted);
  return range === null ? undefined : { kind: "range", range };
}

/**
 * Returns the version that a program or a cluster reports, without `v`, or undefined if there is none. Drops
 * a vendor's suffix (`v1.32.4-dispatcher`, `v1.35.4-gke.1398000`), as semver would take it for a prerelease.
 * Keeps alpha, beta and rc, which are prereleases.
 */
export function parseReported(text: string): string | undefined {
  const version = semver.parse(text.trim());
  if (!version) return undefined;
  if (/^(alpha|beta|rc)/.test(String(version.prerelease[0]))) return version.version;
  return `${version.major}.${version.minor}.${version.patch}`;
}

/** A series of releases whose newest one is named by a file (its pointer), e.g. `release/stable-1.35.txt`. */
export interface ReleaseLine {
  /** The versions of the series, as a semver range. */
  range: string;
  /** Path of that file under the mirror. */
  pointer: string;
}

/**
 * Returns the line that has the newest version of a range, if any.
 *
 * @param lines newest first
 */
export function lineOf(range: string, lines: readonly ReleaseLine[]): ReleaseLine | undefined {
  return lines.find((line) => semver.intersects(line.range, range));
}
