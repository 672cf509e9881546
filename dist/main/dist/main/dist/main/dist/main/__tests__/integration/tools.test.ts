import { readFile, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import { run } from "../../src/base/process.ts";
import { helm, provideHelm } from "../../src/tools/helm.ts";
import { kubectl, provideKubectl } from "../../src/tools/kubectl.ts";
import { platformOf } from "../../src/tools/platform.ts";
import type { ProvidedTool, Tool } from "../../src/tools/tool.ts";
import { parseReported } from "../../src/tools/version.ts";
import { aFolder, aMirror, aRunner, archiveOf, sha256 } from "../support/runner.ts";

const PLATFORM = platformOf(process.platform, process.arch);

let real: Record<"kubectl" | "helm3" | "helm4", string>;
beforeAll(async () => {
  real = await binaries(["kubectl", "helm3", "helm4"]);
});

/** Serves a real program as its publisher does. */
async function publish(tool: Tool, version: string, path: string): Promise<string> {
  const { url, archive, member, checksum } = tool.locate(version, PLATFORM, "");
  const content = await readFile(path);
  const file = archive === "none" ? content : await archiveOf(archive, member, content);
  const mirror = await aMirror({ [url]: file, ["url" in checksum ? checksum.url : ""]: sha256(file) });
  return mirror.url;
}

describe("a real program is downloaded, and known again on PATH", () => {
  const provideNewestKubectl = (version: string, mirror: string) => provideKubectl({ version, mirror });
  const provideAnyHelm = (version: string, mirror: string) => provideHelm({ version, mirror });
  test.each<
    [
      name: "kubectl" | "helm3" | "helm4",
      tool: Tool,
      provide: (version: string, mirror: string) => Promise<ProvidedTool>,
    ]
  >([
    ["kubectl", kubectl, provideNewestKubectl],
    ["helm3", helm, provideAnyHelm],
    ["helm4", helm, provideAnyHelm],
  ])("%s", async (name, tool, provide) => {
    // The machine's own kubectl may stand in for the pinned one.
    const { stdout } = await run({ name: tool.name, path: real[name] }, tool.versionArgs);
    const version = parseReported(tool.readVersion(stdout) ?? "") ?? "";
    await aRunner();
    const mirror = await publish(tool, version, real[name]);
    const downloaded = await provide(version, mirror);
    expect(sha256(await readFile(downloaded.path))).toBe(sha256(await readFile(real[name])));

    const bin = await aFolder();
    await symlink(downloaded.path, join(bin, tool.name));
    vi.stubEnv("PATH", `${bin}:${dirname(process.execPath)}`);
    vi.stubEnv("RUNNER_TOOL_CACHE", await aFolder());
    expect(await provide("auto", "http://nobody.invalid")).toMatchObject({
      version,
      path: join(bin, tool.name),
    });
  });
});
