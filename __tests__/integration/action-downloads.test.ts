import { readdirSync } from "node:fs";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { which } from "@actions/io";
import { beforeAll, describe, expect, test } from "vitest";
import { KUBERNETES } from "../../local-gke/binaries/pins.ts";
import { processesOf } from "../../local-gke/control-plane/processes.ts";
import { helm } from "../../src/tools/helm.ts";
import { kubectl } from "../../src/tools/kubectl.ts";
import { platformOf } from "../../src/tools/platform.ts";
import type { Tool } from "../../src/tools/tool.ts";
import { aFolder, aMirror, archiveOf, type Mirror, sha256 } from "../support/runner.ts";
import { CHART, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const PLATFORM = platformOf(process.platform, process.arch);

const cluster = useCluster(() => ({ wait_for: "none" }));
beforeAll(() => Promise.all(["chart", "tools"].map((namespace) => cluster.installSmall(namespace))));

function expectDone(result: StepResult): void {
  expect(expectSuccess(result).outputs).toMatchObject({
    changed: "true",
    release_revision: "2",
    chart_version: "5.0.19",
  });
}

describe("the chart comes from a repository", () => {
  /** A path whose name looks like the answer of a server that has nothing. */
  const PATH = "/404";

  /** Serves the chart as an HTTP repository; the first request for its index fails. */
  async function aRepository(): Promise<Mirror> {
    const folder = await aFolder();
    await cluster.helm("package", CHART, "--destination", folder);
    const mirror = await aMirror({});
    await cluster.helm("repo", "index", folder, "--url", mirror.url + PATH);
    const index = await readFile(join(folder, "index.yaml"));
    mirror.routes[`${PATH}/index.yaml`] = (response, count) => {
      if (count === 1) response.writeHead(503).end();
      else response.end(index);
    };
    mirror.routes[`${PATH}/milvus-5.0.19.tgz`] = await readFile(join(folder, "milvus-5.0.19.tgz"));
    return mirror;
  }

  test("which has no such version: nothing is changed", async () => {
    const repository = await aRepository();
    const wanted = { chart: "milvus", chart_repository: repository.url + PATH, chart_version: "9.9.9" };
    const { error } = await cluster.refusal("chart", wanted);
    expect(error).toContain(
      `Chart milvus 9.9.9 could not be downloaded from ${repository.url}${PATH}; nothing was changed.`,
    );
    expect(error).toContain("What to do: check chart, chart_repository and chart_version");
  });

  test("which answers at the second try", async () => {
    const repository = await aRepository();
    const job = await cluster.job();
    const from = { chart: "milvus", chart_repository: repository.url + PATH };
    expectDone(await job.main(cluster.inputs("chart", from)));
    expect(repository.requests).toEqual(
      ["index.yaml", "index.yaml", "milvus-5.0.19.tgz"].map((file) => `${PATH}/${file}`),
    );
    await job.post();
    expect(readdirSync(job.temp)).toEqual([]);
  });
});

describe("the runner has no kubectl or no helm that will do", () => {
  /** A mirror that has one release of a tool: this file, and a checksum, by default its own. */
  function publish(
    tool: Tool,
    version: string,
    pointer: string,
    file: Buffer,
    sum = sha256(file),
  ): Promise<Mirror> {
    const { url, checksum } = tool.locate(version, PLATFORM, "");
    const checksumUrl = "url" in checksum ? checksum.url : "";
    return aMirror({ [`/${pointer}`]: `v${version}\n`, [url]: file, [checksumUrl]: sum });
  }

  async function publishKubectl(): Promise<Mirror> {
    const minor = KUBERNETES.split(".").slice(0, 2).join(".");
    const pointer = `release/stable-${minor}.txt`;
    return publish(kubectl, KUBERNETES, pointer, await readFile(cluster.tools.kubectl));
  }

  function publishHelm(file: Buffer, sum?: string): Promise<Mirror> {
    return publish(helm, "3.22.0", "helm3-latest-version", file, sum);
  }

  async function aBareRunner(bin?: string) {
    const path = bin ?? (await aFolder());
    for (const name of ["tar", "gzip"]) await symlink(await which(name, true), join(path, name));
    return cluster.job({ environment: { PATH: path } });
  }

  test("a download that is not what was published is not used: nothing is changed", async () => {
    const published = sha256("what was published");
    const mirrors = [await publishKubectl(), await publishHelm(Buffer.from("something else"), published)];
    const before = await cluster.snapshot("tools");
    const job = await aBareRunner();
    const { error } = expectFailure(await job.main(cluster.inputs("tools", mirrorInputs(mirrors))));
    expect(error).toContain("helm could not be downloaded; nothing was unpacked.");
    expect(error).toContain(published);
    expect(error).toContain("set helm_mirror to");
    // The API server was reached meanwhile, by a kubectl that must not outlive the run.
    expect(processesOf(job.directory)).toEqual([]);
    expect(programsIn(job.toolCache)).toEqual(["kubectl"]);
    expect(await cluster.snapshot("tools")).toEqual(before);
  });

  test("a kubectl that is too old for the cluster gives way to another one", async () => {
    const bin = await aFolder();
    const old = JSON.stringify({ clientVersion: { gitVersion: "v1.30.0" } });
    const script = `#!/bin/sh\n[ "$1" = version ] && echo '${old}' && exit\nexec '${cluster.tools.kubectl}' "$@"\n`;
    await writeFile(join(bin, "kubectl"), script, { mode: 0o755 });
    await symlink(cluster.tools.helm4, join(bin, "helm"));
    const mirror = await publishKubectl();
    const job = await aBareRunner(bin);
    const wanted = { mode: "plan", kubectl_mirror: mirror.url };
    const { errors, lines } = await job.main(cluster.inputs("tools", wanted));
    expect(errors, lines.join("\n")).toEqual([]);
    expect(lines).toContainEqual(expect.stringContaining("downloaded and verified"));
    expect(programsIn(job.toolCache)).toEqual(["kubectl"]);
    expect(processesOf(job.directory)).toEqual([]);
  });

  test("both are downloaded and verified, and the next run takes them from the tool cache", async () => {
    const { member } = helm.locate("3.22.0", PLATFORM, "");
    const packed = await archiveOf("tar.gz", member, await readFile(cluster.tools.helm3));
    const mirrors = [await publishKubectl(), await publishHelm(packed)];
    const job = await aBareRunner();
    const inputs = cluster.inputs("tools", mirrorInputs(mirrors));
    expectDone(await job.main(inputs));
    expect(programsIn(job.toolCache)).toEqual(["helm", "kubectl"]);
    for (const { routes } of mirrors) for (const path in routes) delete routes[path];
    expectSuccess(await job.main(inputs));
  });
});

function mirrorInputs([kubectl, helm]: Mirror[]): Record<string, string> {
  return { kubectl_mirror: kubectl?.url ?? "", helm_mirror: helm?.url ?? "" };
}

/** The names of the programs below a folder. */
function programsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ["kubectl", "helm"].includes(entry.name))
    .map(({ name }) => name)
    .sort();
}
