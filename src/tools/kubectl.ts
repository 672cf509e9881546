import semver from "semver";
import * as v from "valibot";
import { provide } from "./provide.ts";
import type { Fit, ProvidedTool, Tool, ToolRequest } from "./tool.ts";

/** The first minor version of kubectl 1 with server-side apply. */
const FIRST_MINOR = 22;

const versionOutput = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ clientVersion: v.object({ gitVersion: v.string() }) }),
);

/** kubectl, from dl.k8s.io. */
export const kubectl: Tool = {
  name: "kubectl",
  host: "https://dl.k8s.io",
  supported: {
    range: `>=1.${FIRST_MINOR}.0 <2`,
    reason: `Server-side apply needs kubectl 1.${FIRST_MINOR} or later.`,
  },
  versionArgs: ["version", "--client", "-o", "json"],
  readVersion: (stdout) => {
    const parsed = v.safeParse(versionOutput, stdout);
    return parsed.success ? parsed.output.clientVersion.gitVersion : undefined;
  },
  latest: "release/stable.txt",
  readPointer: (text) => text,
  lines: (latest) => {
    const count = Math.max(0, semver.minor(latest) - FIRST_MINOR + 1);
    return Array.from({ length: count }, (_, age) => line(semver.minor(latest) - age));
  },
  locate: (version, { os, arch }, mirror) => {
    const member = os === "windows" ? "kubectl.exe" : "kubectl";
    const url = `${mirror}/release/v${version}/bin/${os}/${arch}/${member}`;
    return { url, checksum: { url: `${url}.sha256` }, archive: "none", member };
  },
};

/**
 * Returns kubectl as `kubectl_version` asks for it. `auto` respects the version skew that Kubernetes
 * supports: kubectl may be one minor version older or newer than the API server
 * (https://kubernetes.io/releases/version-skew-policy/#kubectl).
 *
 * @param request `clusterVersion` returns the version that the cluster reports, e.g.
 *   `v1.35.4-gke.1398000`, if known
 * @throws ActionError naming the input to change
 */
export async function provideKubectl(
  request: ToolRequest & { clusterVersion?: () => string | undefined | Promise<string | undefined> },
): Promise<ProvidedTool> {
  return await provide(kubectl, request, async () => fitCluster(await request.clusterVersion?.()));
}

/**
 * Returns the versions of kubectl that fit a cluster.
 *
 * @param clusterVersion as the cluster reports it; undefined if it is not known
 */
export function fitCluster(clusterVersion: string | undefined): Fit {
  const version = semver.coerce(clusterVersion);
  if (!version) {
    return {
      range: kubectl.supported.range,
      reason: `new enough for server-side apply (1.${FIRST_MINOR})`,
      pointer: kubectl.latest,
    };
  }
  const { minor } = version;
  return {
    range: `>=1.${Math.max(minor - 1, FIRST_MINOR)}.0 <1.${minor + 2}.0`,
    reason: `within one minor version of the cluster's 1.${minor}`,
    pointer: line(minor).pointer,
  };
}

function line(minor: number) {
  return { range: `1.${minor}`, pointer: `release/stable-1.${minor}.txt` };
}
