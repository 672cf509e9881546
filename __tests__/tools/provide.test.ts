import { execFileSync } from "node:child_process";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { helm, provideHelm } from "../../src/tools/helm.ts";
import { kubectl, provideKubectl } from "../../src/tools/kubectl.ts";
import { parseMirror } from "../../src/tools/mirror.ts";
import { platformOf } from "../../src/tools/platform.ts";
import type { Tool } from "../../src/tools/tool.ts";
import { captureLog } from "../support/job-log.ts";
import {
  aFolder,
  aMirror,
  aRunner,
  archiveOf,
  type Mirror,
  type Route,
  scriptPrinting,
  sha256,
} from "../support/runner.ts";

const PLATFORM = platformOf(process.platform, process.arch);

const log = captureLog();

function kubectlPrinting(version: string): string {
  return scriptPrinting(JSON.stringify({ clientVersion: { gitVersion: version } }));
}

/** What a host must answer for a release to be there. */
async function release(tool: Tool, version: string, content: string): Promise<Record<string, Route>> {
  const { url, archive, member } = tool.locate(version, PLATFORM, "");
  const file = archive === "none" ? Buffer.from(content) : await archiveOf(archive, member, content);
  const { checksum } = tool.locate(version, PLATFORM, "");
  return { [url]: file, ["url" in checksum ? checksum.url : ""]: sha256(file) };
}

/** A host with the newest helm 3 and 4, as get.helm.sh has them. */
async function aHelmHost(): Promise<Mirror> {
  return await aMirror({
    "/helm-latest-version": "v4.3.1",
    "/helm4-latest-version": "v4.3.1",
    "/helm3-latest-version": "v3.22.0\n",
    ...(await release(helm, "4.3.1", scriptPrinting("v4.3.1"))),
    ...(await release(helm, "3.22.0", scriptPrinting("v3.22.0"))),
    ...(await release(helm, "3.18.2", scriptPrinting("v3.18.2"))),
  });
}

/** A host with the newest kubectl of three minor versions, as dl.k8s.io has them. */
async function aKubectlHost(): Promise<Mirror> {
  return await aMirror({
    "/release/stable.txt": "v1.36.2",
    "/release/stable-1.36.txt": "v1.36.2",
    "/release/stable-1.35.txt": "v1.35.6",
    "/release/stable-1.34.txt": "v1.34.9",
    ...(await release(kubectl, "1.36.2", kubectlPrinting("v1.36.2"))),
    ...(await release(kubectl, "1.35.6", kubectlPrinting("v1.35.6"))),
    ...(await release(kubectl, "1.34.9", kubectlPrinting("v1.34.9"))),
  });
}

async function putInToolCache(
  toolCache: string,
  tool: Tool,
  version: string,
  content: string,
): Promise<string> {
  const home = join(toolCache, tool.name, version, process.arch);
  const path = join(home, tool.locate(version, PLATFORM, "").member);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode: 0o755 });
  await writeFile(`${home}.complete`, "");
  return path;
}

function sumOf(version: string): string {
  const { checksum } = kubectl.locate(version, PLATFORM, "");
  return "url" in checksum ? checksum.url : "";
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof ActionError)) throw new Error(`no ActionError, but ${String(error)}`);
  return error.message;
}

describe("the runner's own tool", () => {
  test.each([
    ["auto", "v3.14.0"],
    ["auto", "v3.22.0"],
    ["auto", "v4.3.1"],
    ["3", "v3.15.1"],
    [">=3.18 <4", "v3.18.0"],
    ["v3.18.2", "v3.18.2"],
    ["3.18.2", "v3.18.2"],
  ])("helm_version %s accepts %s without a request", async (wanted, own) => {
    const runner = await aRunner();
    const path = await runner.addToPath("helm", scriptPrinting(own));
    const mirror = await aHelmHost();
    const provided = await provideHelm({ version: wanted, mirror: mirror.url });
    expect(provided).toMatchObject({ name: "helm", path, version: own.slice(1) });
    expect(mirror.requests).toEqual([]);
  });

  test.each([
    ["v1.34.1", "v1.35.4-gke.1398000"],
    ["v1.35.9", "v1.35.4-gke.1398000"],
    ["v1.36.0", "v1.35.4-gke.1398000"],
    ["v1.32.4-dispatcher", "1.33.1"],
    ["v1.22.0", undefined],
  ])("kubectl %s fits a cluster of version %s", async (own, cluster) => {
    const clusterVersion = () => cluster;
    const runner = await aRunner();
    const path = await runner.addToPath("kubectl", kubectlPrinting(own));
    const mirror = await aKubectlHost();
    expect(await provideKubectl({ version: "auto", mirror: mirror.url, clusterVersion })).toMatchObject({
      path,
    });
    expect(mirror.requests).toEqual([]);
  });

  test("is asked for its version while Google says that of the cluster", async () => {
    const runner = await aRunner();
    const asked = join(dirname(await runner.addToPath("helm", "")), "asked");
    const path = await runner.addToPath("kubectl", `${kubectlPrinting("v1.35.4")}\n: >'${asked}'\n`);
    const clusterVersion = async () => {
      await vi.waitFor(() => access(asked), { timeout: 100_000 });
      return "v1.35.1";
    };
    const mirror = await aKubectlHost();
    const provided = await provideKubectl({ version: "auto", mirror: mirror.url, clusterVersion });
    expect(provided.path).toBe(path);
  });

  test("is run once for its version, and one line says what was chosen and why", async () => {
    const runner = await aRunner();
    const path = await runner.addToPath("kubectl", kubectlPrinting("v1.35.4"));
    const mirror = await aKubectlHost();
    const { why } = await provideKubectl({
      version: "auto",
      mirror: mirror.url,
      clusterVersion: () => "v1.35.1",
    });
    expect(why).toBe("on PATH, within one minor version of the cluster's 1.35");
    expect(log.text).toBe(`kubectl 1.35.4 (${path}): ${why}.\n`);
  });

  test("is chosen for latest if it is the newest", async () => {
    const runner = await aRunner();
    const path = await runner.addToPath("helm", scriptPrinting("v4.3.1"));
    const mirror = await aHelmHost();
    expect(await provideHelm({ version: "latest", mirror: mirror.url })).toMatchObject({ path });
    expect(mirror.requests).toEqual(["/helm-latest-version"]);
  });
});

describe("the tool cache", () => {
  test("provides the newest accepted version without a request", async () => {
    const { toolCache } = await aRunner();
    await putInToolCache(toolCache, helm, "3.9.0", scriptPrinting("v3.9.0"));
    await putInToolCache(toolCache, helm, "5.0.0", scriptPrinting("v5.0.0"));
    await putInToolCache(toolCache, helm, "3.16.0", scriptPrinting("v3.16.0"));
    const path = await putInToolCache(toolCache, helm, "3.21.4", scriptPrinting("v3.21.4"));
    const mirror = await aHelmHost();
    expect(await provideHelm({ version: "auto", mirror: mirror.url })).toMatchObject({
      path,
      version: "3.21.4",
    });
    expect(mirror.requests).toEqual([]);
  });

  test("provides the tool of an earlier run without a download", async () => {
    await aRunner();
    const mirror = await aKubectlHost();
    const request = { version: "auto", mirror: mirror.url, clusterVersion: () => "1.35.1" };
    const first = await provideKubectl(request);
    const requests = mirror.requests.length;
    expect(await provideKubectl(request)).toMatchObject({ path: first.path, version: "1.35.6" });
    expect(mirror.requests).toHaveLength(requests);
  });
});

describe("a downloaded tool", () => {
  test.each([
    ["auto", "3.22.0"],
    ["latest", "4.3.1"],
    ["3", "3.22.0"],
    ["4", "4.3.1"],
    [">=3.14", "4.3.1"],
    ["v3.18.2", "3.18.2"],
  ])("for helm_version %s is helm %s", async (wanted, version) => {
    await aRunner();
    const mirror = await aHelmHost();
    const provided = await provideHelm({ version: wanted, mirror: `${mirror.url}/` });
    expect(provided.version).toBe(version);
    expect(execFileSync(provided.path, { encoding: "utf8" })).toBe(`v${version}\n`);
  });

  test("for an open range is a supported version", async () => {
    await aRunner();
    const mirror = await aHelmHost();
    mirror.routes["/helm-latest-version"] = "v5.0.0";
    mirror.routes["/helm5-latest-version"] = "v5.0.0";
    expect(await provideHelm({ version: ">=3.14", mirror: mirror.url })).toMatchObject({ version: "4.3.1" });
  });

  test.each([
    ["auto", "v1.35.1-gke.100", "1.35.6"],
    ["auto", undefined, "1.36.2"],
    ["latest", "v1.35.1", "1.36.2"],
    ["1.34", "v1.35.1", "1.34.9"],
    [">=1.34 <1.36", undefined, "1.35.6"],
    ["1.34.9", undefined, "1.34.9"],
  ])("for kubectl_version %s and cluster version %s is kubectl %s", async (wanted, cluster, version) => {
    const clusterVersion = () => cluster;
    await aRunner();
    const mirror = await aKubectlHost();
    const provided = await provideKubectl({ version: wanted, mirror: mirror.url, clusterVersion });
    expect(provided.version).toBe(version);
    expect(execFileSync(provided.path, { encoding: "utf8" })).toContain(`v${version}`);
  });

  test.each([
    ["too old", scriptPrinting("v3.13.3"), "is 3.13.3"],
    ["a release candidate", scriptPrinting("v4.0.0-rc.1"), "is 4.0.0-rc.1"],
    ["of another architecture", "\x7fELF nonsense", "is ignored"],
    ["broken", "#!/bin/sh\necho 'no such shim' >&2; exit 3\n", 'exit code 3 and printed "no such shim"'],
    ["something else", scriptPrinting("usage: helm"), "is ignored"],
    ["a script without its interpreter", "#!/no/such/interpreter\n", "is ignored"],
  ])("replaces one on PATH that is %s, and the log says so", async (_, content, says) => {
    const runner = await aRunner();
    const own = await runner.addToPath("helm", content);
    const mirror = await aHelmHost();
    const provided = await provideHelm({ version: "auto", mirror: mirror.url });
    expect(provided.version).toBe("3.22.0");
    expect(log.text).toContain(`${own} `);
    expect(log.text).toContain(says);
  });

  test("replaces one on PATH that is in the range but not supported", async () => {
    const runner = await aRunner();
    await runner.addToPath("helm", scriptPrinting("v3.13.3"));
    const mirror = await aHelmHost();
    expect(await provideHelm({ version: "3", mirror: mirror.url })).toMatchObject({ version: "3.22.0" });
  });

  test("replaces a kubectl that is too old or new for the cluster", async () => {
    const runner = await aRunner();
    await runner.addToPath("kubectl", kubectlPrinting("v1.33.9"));
    const mirror = await aKubectlHost();
    const provided = await provideKubectl({
      version: "auto",
      mirror: mirror.url,
      clusterVersion: () => "1.35.4",
    });
    expect(provided).toMatchObject({ version: "1.35.6", why: expect.stringContaining("1.33.9") });
  });
});

describe("a tool that does not print its version", () => {
  const patience = { stallMs: 1000, retryDelaysMs: [] };

  test("is ended and ignored", async () => {
    const runner = await aRunner();
    const pid = join(await aFolder(), "pid");
    const own = await runner.addToPath("helm", `#!/bin/sh\necho $$ > '${pid}'\nexec /bin/sleep 60\n`);
    const mirror = await aHelmHost();
    const provided = await provideHelm({ version: "auto", mirror: mirror.url, patience });
    expect(provided.version).toBe("3.22.0");
    expect(log.text).toContain(`${own} is ignored: it did not print its version within 1 s.`);
    const shim = Number(await readFile(pid, "utf8"));
    await vi.waitFor(() => expect(() => process.kill(shim, 0)).toThrow("ESRCH"), 100_000);
  });

  test("is ignored even if a program that it started still runs", async () => {
    const runner = await aRunner();
    const pid = join(await aFolder(), "pid");
    await runner.addToPath("helm", `#!/bin/sh\n/bin/sleep 60 &\necho $! > '${pid}'\nwait\n`);
    onTestFinished(async () => {
      process.kill(Number(await readFile(pid, "utf8")));
    });
    const mirror = await aHelmHost();
    const provided = await provideHelm({ version: "auto", mirror: mirror.url, patience });
    expect(provided.version).toBe("3.22.0");
  });
});

describe("a host that can't be reached", () => {
  const nobody = "http://127.0.0.1:1";
  const clusterVersion = () => "1.35.4";

  test("makes auto use a supported tool, with a warning", async () => {
    const runner = await aRunner();
    const path = await runner.addToPath("kubectl", kubectlPrinting("v1.33.9"));
    const provided = await provideKubectl({ version: "auto", mirror: nobody, clusterVersion });
    expect(provided).toMatchObject({ name: "kubectl", path, version: "1.33.9" });
    expect(log.text).toMatch(
      /^::warning title=Milvus on GKE::kubectl could not be downloaded; nothing was unpacked\./m,
    );
    expect(log.text).toContain(`${nobody}/release/stable-1.35.txt can't be read`);
    expect(log.text).toContain(`kubectl 1.33.9 on PATH (${path}) is used.`);
  });

  test("may also be one behind a proxy that refuses", async () => {
    const runner = await aRunner();
    const path = await runner.addToPath("kubectl", kubectlPrinting("v1.33.9"));
    const { url } = await aMirror({
      "/release/stable-1.35.txt": (response) => response.writeHead(403).end(),
    });
    expect(await provideKubectl({ version: "auto", mirror: url, clusterVersion })).toMatchObject({ path });
    expect(log.text).toContain("answered 403 Forbidden");
    expect(log.text).toContain("If a proxy answers in its place");
  });

  test.each([
    ["an exact version", "1.35.4", "v1.33.9"],
    ["latest", "latest", "v1.33.9"],
    ["a range", "1.35", "v1.33.9"],
    ["auto with an unsupported tool", "auto", "v1.21.9"],
    ["auto without a tool", "auto", undefined],
  ])("is an error for %s", async (_, version, own) => {
    const runner = await aRunner();
    if (own) await runner.addToPath("kubectl", kubectlPrinting(own));
    const message = await failureOf(provideKubectl({ version, mirror: nobody, clusterVersion }));
    expect(message).toContain("kubectl could not be downloaded");
    expect(message).toContain(`Check that the runner reaches ${nobody}`);
    expect(log.text).not.toContain("::warning");
  });

  test.each<[string, (mirror: Mirror) => void, string]>([
    ["has no such file", ({ routes }) => delete routes["/release/stable-1.35.txt"], "404"],
    [
      "has a file that isn't what was published",
      ({ routes }) => (routes[sumOf("1.35.6")] = "0".repeat(64)),
      "0000",
    ],
  ])("is not one that %s: auto fails even if the runner has the tool", async (_, spoil, says) => {
    const runner = await aRunner();
    await runner.addToPath("kubectl", kubectlPrinting("v1.33.9"));
    const mirror = await aKubectlHost();
    spoil(mirror);
    const message = await failureOf(provideKubectl({ version: "auto", mirror: mirror.url, clusterVersion }));
    expect(message).toContain(says);
  });
});

describe("a mirror that requires a password", () => {
  /** Answers nobody but user `ci@example` with password `p:ä%`. */
  async function aGuardedHost(): Promise<Mirror> {
    const mirror = await aHelmHost();
    const expected = `Basic ${Buffer.from("ci@example:p:ä%").toString("base64")}`;
    for (const [path, route] of Object.entries(mirror.routes)) {
      mirror.routes[path] = (response, count) => {
        if (response.req.headers.authorization !== expected) response.writeHead(401).end();
        else if (typeof route === "function") route(response, count);
        else response.end(route);
      };
    }
    return mirror;
  }
  const within = (mirror: Mirror, userinfo: string) => mirror.url.replace("://", `://${userinfo}@`);

  test("gets it from the input, which is never printed", async () => {
    await aRunner();
    const mirror = await aGuardedHost();
    const { version } = await provideHelm({
      version: "latest",
      mirror: within(mirror, "ci%40example:p%3A%C3%A4%25"),
    });
    expect(version).toBe("4.3.1");
    const masks = log.text.split("\n").filter((line) => line.startsWith("::add-mask::"));
    expect(masks).toEqual([
      "::add-mask::p:ä%25",
      `::add-mask::${Buffer.from("ci@example:p:ä%").toString("base64")}`,
    ]);
    expect(log.text.replace(/^::add-mask::.*$/gm, "")).not.toMatch(/p:ä|p%3A|ci@example|ci%40/);
    expect(log.text).toContain(`the newest release at ${mirror.url}`);
  });

  test.each([
    ["a wrong one", "ci:hunter2", "Check the user and password in helm_mirror"],
    ["none", undefined, "put them into helm_mirror"],
  ])("refuses the download with %s", async (_, userinfo, says) => {
    await aRunner();
    const mirror = await aGuardedHost();
    const url = userinfo ? within(mirror, userinfo) : mirror.url;
    const message = await failureOf(provideHelm({ version: "auto", mirror: url }));
    expect(message).toContain(`${mirror.url}/helm3-latest-version answered 401`);
    expect(message).toContain(says);
    expect(message).not.toContain("hunter2");
  });
});

test.each<[input: string, base: string, authorization: string | undefined, masked: string[]]>([
  ["https://get.helm.sh", "https://get.helm.sh", undefined, []],
  ["https://mirror.example/helm//", "https://mirror.example/helm", undefined, []],
  ["https://u:p@mirror.example:8443/", "https://mirror.example:8443", "Basic dTpw", ["p", "dTpw"]],
  ["https://token@mirror.example/a", "https://mirror.example/a", "Basic dG9rZW46", ["token", "dG9rZW46"]],
  ["https://u:100%@mirror.example", "https://mirror.example", "Basic dToxMDAl", ["100%25", "dToxMDAl"]],
])("the mirror %s", (input, base, authorization, masked) => {
  expect(parseMirror(input)).toEqual({ base, authorization });
  expect(log.text).toBe(masked.map((secret) => `::add-mask::${secret}\n`).join(""));
});

describe("a tool is not provided", () => {
  test.each([
    ["new", ["helm_version", '"new"', "semver range"]],
    ["", ["helm_version", '""']],
    ["3.13.3", ["helm_version: 3.13.3", "3.14"]],
    ["<3.14", ["helm_version: <3.14", "3.14"]],
    ["5", ["helm_version: 5", "Helm 3 and 4"]],
  ])("if helm_version is %j, without a request", async (version, says) => {
    const runner = await aRunner();
    await runner.addToPath("helm", scriptPrinting("v3.13.3"));
    const mirror = await aHelmHost();
    const message = await failureOf(provideHelm({ version, mirror: mirror.url }));
    for (const part of says) expect(message).toContain(part);
    expect(mirror.requests).toEqual([]);
  });

  test("if the release does not exist, and the error names those that do", async () => {
    await aRunner();
    const { url } = await aKubectlHost();
    const message = await failureOf(provideKubectl({ version: "1.35.77", mirror: url }));
    expect(message).toContain(`kubectl 1.35.77 is not published for ${PLATFORM.os} on ${PLATFORM.arch}`);
    expect(message).toContain(`/release/v1.35.77/bin/${PLATFORM.os}/${PLATFORM.arch}/kubectl answered 404`);
    expect(message).toContain(
      `kubectl_version to a release that exists (the newest at ${url}: 1.35.6, 1.36.2)`,
    );
  });

  test("if the release does not exist at a mirror without pointers", async () => {
    await aRunner();
    const { url } = await aMirror({});
    const message = await failureOf(provideHelm({ version: "3.22.9", mirror: url }));
    expect(message).toContain("helm 3.22.9 is not published");
    expect(log.text).toContain(`${url}/helm-latest-version answered 404`);
  });

  test("if the newest release is named but not published yet", async () => {
    await aRunner();
    const mirror = await aKubectlHost();
    mirror.routes["/release/stable.txt"] = "v1.36.3";
    const message = await failureOf(provideKubectl({ version: "latest", mirror: mirror.url }));
    expect(message).toContain("kubectl 1.36.3 is not published");
    expect(message).toContain("1.36.2");
  });

  test("if no pointer names the newest release of the range", async () => {
    await aRunner();
    const { url } = await aHelmHost();
    const message = await failureOf(provideHelm({ version: ">=3.14 <3.19", mirror: url }));
    expect(message).toContain("helm_version: the newest release in");
    expect(message).toContain(`${url}/helm3-latest-version names 3.22.0`);
    expect(message).toContain("an exact version");
  });

  test("if the newest release has an unsupported major version", async () => {
    await aRunner();
    const mirror = await aHelmHost();
    mirror.routes["/helm-latest-version"] = "v5.0.0";
    const message = await failureOf(provideHelm({ version: "latest", mirror: mirror.url }));
    expect(message).toContain("The newest helm, 5.0.0, can't be used");
  });

  test("if the pointer names a release that auto can't use", async () => {
    await aRunner();
    const mirror = await aHelmHost();
    mirror.routes["/helm3-latest-version"] = "v3.9.0";
    const message = await failureOf(provideHelm({ version: "auto", mirror: mirror.url }));
    expect(message).toContain(`${mirror.url}/helm3-latest-version names 3.9.0`);
  });

  test("if the pointer is an HTML page", async () => {
    await aRunner();
    const mirror = await aHelmHost();
    mirror.routes["/helm3-latest-version"] = "<html>sign in</html>";
    const message = await failureOf(provideHelm({ version: "auto", mirror: mirror.url }));
    expect(message).toContain(`${mirror.url}/helm3-latest-version names no version`);
    expect(message).toContain("helm_mirror");
  });

  test("if the file is not what was published", async () => {
    await aRunner();
    const mirror = await aHelmHost();
    const { checksum } = helm.locate("3.22.0", PLATFORM, "");
    mirror.routes["url" in checksum ? checksum.url : ""] = "0".repeat(64);
    const message = await failureOf(provideHelm({ version: "auto", mirror: mirror.url }));
    expect(message).toContain("helm could not be downloaded; nothing was unpacked");
    expect(message).toContain("0".repeat(64));
    expect(message).toContain("helm_mirror");
  });
});
