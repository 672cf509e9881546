import { describe, expect, test } from "vitest";
import { helm } from "../../src/tools/helm.ts";
import { fitCluster, kubectl } from "../../src/tools/kubectl.ts";
import { lineOf, parseReported, parseWanted } from "../../src/tools/version.ts";

describe("parseWanted", () => {
  test.each([
    ["auto", { kind: "auto" }],
    [" latest ", { kind: "latest" }],
    ["1.35.4", { kind: "exact", version: "1.35.4" }],
    ["v3.22.0", { kind: "exact", version: "3.22.0" }],
    ["v4.0.0-rc.1", { kind: "exact", version: "4.0.0-rc.1" }],
    ["1.35", { kind: "range", range: ">=1.35.0 <1.36.0-0" }],
    ["v3", { kind: "range", range: ">=3.0.0 <4.0.0-0" }],
    [">=3.18 <4", { kind: "range", range: ">=3.18.0 <4.0.0-0" }],
    ["", undefined],
    ["newest", undefined],
    ["1.35.4.1", undefined],
  ])("%j", (text, wanted) => {
    expect(parseWanted(text)).toEqual(wanted);
  });
});

describe("parseReported", () => {
  test.each([
    ["v3.22.0", "3.22.0"],
    ["v1.32.4-dispatcher", "1.32.4"],
    ["1.35.4-gke.1398000", "1.35.4"],
    ["v1.31.5+k3s1", "1.31.5"],
    ["v4.0.0-rc.1\n", "4.0.0-rc.1"],
    ["v0.0.0-master+$Format:%H$", undefined],
    ["", undefined],
  ])("%j", (text, version) => {
    expect(parseReported(text)).toBe(version);
  });
});

describe("lineOf", () => {
  test.each([
    ["kubectl", kubectl.lines("1.36.2"), ">=1.34", "release/stable-1.36.txt"],
    ["kubectl", kubectl.lines("1.36.2"), "<1.35", "release/stable-1.34.txt"],
    ["kubectl", kubectl.lines("1.36.2"), "1.30 || 1.33", "release/stable-1.33.txt"],
    ["kubectl", kubectl.lines("1.36.2"), ">=1.37", undefined],
    ["helm", helm.lines("4.3.1"), "3", "helm3-latest-version"],
    ["helm", helm.lines("4.3.1"), ">=3.14", "helm4-latest-version"],
    ["helm", helm.lines("4.3.1"), ">=5", undefined],
  ])("%s %$", (_, lines, range, pointer) => {
    expect(lineOf(range, lines)?.pointer).toBe(pointer);
  });
});

describe("fitCluster", () => {
  test.each([
    ["v1.35.4-gke.1398000", ">=1.34.0 <1.37.0", "release/stable-1.35.txt"],
    ["1.22.3", ">=1.22.0 <1.24.0", "release/stable-1.22.txt"],
    [undefined, ">=1.22.0 <2", "release/stable.txt"],
  ])("%s", (clusterVersion, range, pointer) => {
    expect(fitCluster(clusterVersion)).toMatchObject({ range, pointer });
  });
});

describe("locate", () => {
  test.each([
    [
      kubectl,
      "linux",
      "amd64",
      "https://m/release/v1.2.3/bin/linux/amd64/kubectl",
      ".sha256",
      "none",
      "kubectl",
    ],
    [
      kubectl,
      "darwin",
      "arm64",
      "https://m/release/v1.2.3/bin/darwin/arm64/kubectl",
      ".sha256",
      "none",
      "kubectl",
    ],
    [
      kubectl,
      "windows",
      "amd64",
      "https://m/release/v1.2.3/bin/windows/amd64/kubectl.exe",
      ".sha256",
      "none",
      "kubectl.exe",
    ],
    [
      helm,
      "linux",
      "arm64",
      "https://m/helm-v1.2.3-linux-arm64.tar.gz",
      ".sha256sum",
      "tar.gz",
      "linux-arm64/helm",
    ],
    [
      helm,
      "darwin",
      "amd64",
      "https://m/helm-v1.2.3-darwin-amd64.tar.gz",
      ".sha256sum",
      "tar.gz",
      "darwin-amd64/helm",
    ],
    [
      helm,
      "windows",
      "arm64",
      "https://m/helm-v1.2.3-windows-arm64.zip",
      ".sha256sum",
      "zip",
      "windows-arm64/helm.exe",
    ],
  ] as const)("$0.name for %s on %s", (tool, os, arch, url, suffix, archive, member) => {
    expect(tool.locate("1.2.3", { os, arch }, "https://m")).toEqual({
      url,
      checksum: { url: `${url}${suffix}` },
      archive,
      member,
    });
  });
});
