import semver from "semver";
import { provide } from "./provide.ts";
import type { ProvidedTool, Tool, ToolRequest } from "./tool.ts";

const FIRST_MAJOR = 3;

/** Helm, from get.helm.sh. */
export const helm: Tool = {
  name: "helm",
  host: "https://get.helm.sh",
  supported: {
    range: ">=3.14.0 <5",
    reason: "--reset-then-reuse-values came with Helm 3.14, and this action knows the flags of Helm 3 and 4.",
  },
  versionArgs: ["version", "--template", "{{.Version}}"],
  readVersion: (stdout) => stdout,
  latest: "helm-latest-version",
  readPointer: (text) => text,
  lines: (latest) => {
    const count = Math.max(0, semver.major(latest) - FIRST_MAJOR + 1);
    return Array.from({ length: count }, (_, age) => line(semver.major(latest) - age));
  },
  locate: (version, { os, arch }, mirror) => {
    const archive = os === "windows" ? "zip" : "tar.gz";
    const url = `${mirror}/helm-v${version}-${os}-${arch}.${archive}`;
    const member = `${os}-${arch}/${os === "windows" ? "helm.exe" : "helm"}`;
    return { url, checksum: { url: `${url}.sha256sum` }, archive, member };
  },
};

/**
 * Returns Helm as `helm_version` asks for it. If the runner has no fitting one, `auto` downloads Helm 3: this
 * action moves no release to another major version of Helm without being asked.
 *
 * @throws ActionError naming the input to change
 */
export async function provideHelm(request: ToolRequest): Promise<ProvidedTool> {
  const fit = {
    range: helm.supported.range,
    reason: "new enough for --reset-then-reuse-values (3.14)",
    pointer: line(FIRST_MAJOR).pointer,
  };
  return await provide(helm, request, () => fit);
}

function line(major: number) {
  return { range: `${major}`, pointer: `helm${major}-latest-version` };
}
