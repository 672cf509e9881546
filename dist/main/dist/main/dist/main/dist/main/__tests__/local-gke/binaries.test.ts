import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { binaries, provide } from "../../local-gke/binaries/binaries.ts";
import { kubectlOnPath } from "../../local-gke/binaries/kubectl-on-path.ts";
import { KUBERNETES, PINS, type Pin } from "../../local-gke/binaries/pins.ts";
import {
  aFolder,
  aMirror,
  aRunner,
  archiveOf,
  type Mirror,
  type Runner,
  scriptPrinting,
  sha256,
} from "../support/runner.ts";

const NOBODY = "http://127.0.0.1:9";
const FILE = "/kwok-linux-amd64";
const RELEASE = "/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0";
const SCRIPT = scriptPrinting("kwok");

let cache: string;
let runner: Runner;
beforeEach(async () => {
  runner = await aRunner();
  const home = await aFolder();
  vi.stubEnv("XDG_CACHE_HOME", home);
  cache = join(home, "milvus-gke-local-gke");
});

/** kwok, whose checksum GitHub has in its description of the release. */
function kwokAt(url: string): Pin {
  return {
    ...PINS.kwok,
    official: {
      url: `${url}${FILE}`,
      checksum: { githubRelease: `${url}${RELEASE}` },
      archive: "none",
    },
  };
}

function pinAt(url: string, pin: Pin): Pin {
  const file = `${url}/${pin.program}-${pin.version}.tar.gz`;
  return { ...pin, official: { url: file, checksum: { url: `${file}.sha256` }, archive: "tar.gz" } };
}

/** Serves kwok with this answer of the releases API. */
async function kwokMirror(release: string): Promise<Mirror> {
  return aMirror({ [FILE]: SCRIPT, [RELEASE]: release });
}

function releaseWith(digest: string | null): string {
  return JSON.stringify({
    assets: [
      { name: "kwokctl-linux-amd64", digest: `sha256:${"0".repeat(64)}` },
      { name: "kwok-linux-amd64", digest },
    ],
  });
}

function gather(): { lines: string[]; say: (line: string) => void } {
  const lines: string[] = [];
  return { lines, say: (line) => lines.push(line) };
}

/** A Go that notes how it was called, and builds programs that print the package they were made from. */
async function aGo(): Promise<() => Promise<string[]>> {
  const log = join(await aFolder(), "go.log");
  await runner.addToPath(
    "go",
    `#!/bin/sh
PATH=/usr/bin:/bin
echo "GOFLAGS=$GOFLAGS GOWORK=$GOWORK $*" >> '${log}'
case "$3" in
  list)
    echo 'go: downloading example.com/a v1.0.0' >&2
    printf 'example.com/a\\nexample.com/b\\n' ;;
  build)
    output=$6
    shift 6
    for package; do
      case "$package" in
        -*) continue ;;
        */v3) name=server ;;
        *) name=\${package##*/} ;;
      esac
      printf '#!/bin/sh\\necho %s\\n' "$package" > "$output$name"
      chmod +x "$output$name"
    done ;;
esac
`,
  );
  return async () => (await readFile(log, "utf8")).trim().split("\n");
}

describe("a program that is not in the cache", () => {
  test("is downloaded and verified with the digest of its GitHub release; Go is not needed", async () => {
    const mirror = await kwokMirror(releaseWith(`sha256:${sha256(SCRIPT)}`));
    await provide([kwokAt(mirror.url)], gather());
    expect(execFileSync(join(cache, "kwok-0.8.0/kwok"), { encoding: "utf8" })).toBe("kwok\n");
    expect(await readdir(cache)).toEqual(["kwok-0.8.0"]);

    await provide([kwokAt(mirror.url)], gather());
    expect(mirror.requests.filter((path) => path === FILE)).toHaveLength(1);
  });

  test("comes out of an archive", async () => {
    const archive = await archiveOf("tar.gz", "act", scriptPrinting("act"));
    const mirror = await aMirror({
      "/act-0.2.89.tar.gz": archive,
      "/act-0.2.89.tar.gz.sha256": sha256(archive),
    });
    await provide([pinAt(mirror.url, PINS.act)], gather());
    expect(execFileSync(join(cache, "act-0.2.89/act"), { encoding: "utf8" })).toBe("act\n");
    expect(await readdir(join(cache, "act-0.2.89"))).toEqual(["act"]);
  });

  test.each([
    ["another digest", releaseWith(`sha256:${"1".repeat(64)}`), "but 1111"],
    ["no digest", releaseWith(null), "The SHA-256 of kwok-linux-amd64 is not known"],
    ["a digest of another kind", releaseWith("sha512:1111"), "The SHA-256 of kwok-linux-amd64 is not known"],
    ["no such file", '{"assets": []}', "The SHA-256 of kwok-linux-amd64 is not known"],
    ["no JSON", "<html>", "The SHA-256 of kwok-linux-amd64 is not known"],
  ])("is neither kept nor built where its GitHub release has %s", async (_, release, reason) => {
    const calls = await aGo();
    const mirror = await kwokMirror(release);
    await expect(provide([kwokAt(mirror.url)], gather())).rejects.toThrow(reason);
    expect(await readdir(cache)).toEqual([]);
    await expect(calls()).rejects.toThrow("ENOENT");
  });

  test("is built where GitHub refuses to describe the release", async () => {
    await aGo();
    const mirror = await aMirror({
      [FILE]: SCRIPT,
      [RELEASE]: (response) => response.writeHead(403).end("API rate limit exceeded"),
    });
    const { lines, say } = gather();
    await provide([kwokAt(mirror.url)], { say });
    expect(lines.join("\n")).toContain(`${RELEASE} answered 403`);
    expect(execFileSync(join(cache, "kwok-0.8.0/kwok"), { encoding: "utf8" })).toBe(`${PINS.kwok.package}\n`);
  });

  test("is built with all others that can't be downloaded in one command, Helm 3 in a second one", async () => {
    vi.stubEnv("GOFLAGS", "-mod=vendor");
    vi.stubEnv("GOWORK", "/nowhere");
    const calls = await aGo();
    const names = ["etcd", "kube-apiserver", "kwok", "helm4", "helm3"] as const;
    const pins = names.map((name) => pinAt(NOBODY, PINS[name]));
    await provide(pins, gather());

    const builds = (await calls()).filter((call) => /-C \S+ build /.test(call));
    expect(builds).toHaveLength(2);
    expect(builds[0]).toContain(
      names
        .slice(0, 4)
        .map((name) => PINS[name].package)
        .join(" "),
    );
    expect(builds[1]).toContain(PINS.helm3.package);
    for (const call of await calls()) expect(call).toContain("GOFLAGS=-mod=readonly GOWORK=off");
    for (const [index, { program, version }] of pins.entries()) {
      const path = join(cache, `${program}-${version}`, program);
      expect(execFileSync(path, { encoding: "utf8" })).toBe(`${pins[index]?.package}\n`);
    }
  });

  test("fails with both reasons where there is neither its host nor Go", async () => {
    const failure = provide([kwokAt(NOBODY)], gather());
    await expect(failure).rejects.toThrow(
      /kwok 0\.8\.0: neither downloaded nor built.*http:\/\/127\.0\.0\.1:9 can't be reached.*go.*could not be started.*What to do/s,
    );
    expect(await readdir(cache)).toEqual([]);
  });
});

describe("a kubectl on PATH", () => {
  const [major, minor] = KUBERNETES.split(".").map(Number);
  const kubectlOf = (version: string) =>
    runner.addToPath("kubectl", scriptPrinting(JSON.stringify({ clientVersion: { gitVersion: version } })));

  const gitVersion = (age: number) => `v${major}.${(minor ?? 0) + age}.9`;

  test.each([-1, 0, 1])("is used if it is %i minor versions from the API server's", async (age) => {
    await kubectlOf(gitVersion(age));
    const { kubectl } = await binaries(["kubectl"], gather());
    expect(kubectl).toBe(join(cache, "kubectl-on-path/kubectl"));
    expect(execFileSync(kubectl, { encoding: "utf8" })).toContain(gitVersion(age));
  });

  test.each([
    [gitVersion(-2), "within one minor version"],
    [gitVersion(2), "within one minor version"],
    ["unknown", "its version is not known"],
  ])("is not used if it is %s", async (version, reason) => {
    const path = await kubectlOf(version);
    const { lines, say } = gather();
    expect(await kubectlOnPath(say)).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(`^${path} is not used: .*${reason}`)]);
  });
});
