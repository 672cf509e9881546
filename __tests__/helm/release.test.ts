import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import type { Program } from "../../src/base/process.ts";
import { helmError } from "../../src/helm/error.ts";
import { readRelease } from "../../src/helm/release.ts";

describe("helmError", () => {
  test.each([
    ["keeps Helm's own words", "Error: UPGRADE FAILED: no space\n", "no space"],
    [
      "leaves warnings out",
      "WARNING: Kubernetes configuration file is group-readable.\nError: x\n",
      "Why: Error: x",
    ],
    [
      "leaves klog's lines out",
      "W0101 00:00:00.0 1 warnings.go:70] deprecated\nI0101 0 y\nError: x\n",
      "Why: Error: x",
    ],
    ["leaves Helm 4's own out", 'level=WARN msg="deprecated"\nError: x\n', "Why: Error: x"],
    ["keeps all lines of the rest", "Error: a\n\nb: c\n", "Why: Error: a\nb: c"],
    ["names the exit code when there is nothing else", "WARNING: x\n", "Why: exit code 2"],
  ])("%s", (_, stderr, expected) => {
    const { message } = helmError("It failed.", { exitCode: 2, stdout: "", stderr }, { fix: "mend it." });
    expect(message).toContain(expected);
    expect(message).toMatch(/^It failed\.\nWhy: /);
    expect(message).not.toMatch(/WARNING|deprecated/);
    expect(message).toMatch(/\nWhat to do: mend it\.$/);
  });
});

/** Answers as `helm` does for releases of known histories; `--revision` picks one of them, else it is the newest. */
const HELM = `#!${process.execPath}
const [command, ...rest] = process.argv.slice(2);
const histories = {
  "my-release": [["superseded", "5.0.18", null], ["deployed", "5.0.19", { minio: { enabled: false } }]],
  "after-failure": [["deployed", "5.0.19", { keep: "me" }], ["failed", "6.0.0", { lost: true }]],
  "after-two": [["deployed", "5.0.19", { keep: "me" }], ["failed", "6.0.0", {}], ["failed", "6.0.1", {}]],
  "overtaken": [["deployed", "5.0.19", { keep: "me" }], ["superseded", "5.0.19", { lost: true }]],
  "first-failed": [["failed", "5.0.19", { only: 1 }]],
  "no-values": [["pending-install", "5.0.19", null]],
};
const args = rest.filter((arg) => arg !== "-o" && arg !== "json");
const name = command === "history" ? args[0] : args.find((arg) => arg in histories || arg.startsWith("no-"));
const history = histories[name];
if (args[args.indexOf("--namespace") + 1] !== "milvus") fail("unexpected namespace");
if (name === "no-rights") fail('query: failed to query with labels: secrets is forbidden: User "u" cannot list');
if (!history) fail("release: not found");
const flag = args.indexOf("--revision");
const revision = flag < 0 ? history.length : Number(args[flag + 1]);
const [status, version, values] = history[revision - 1];
if (command === "history") {
  print(history.map(([status], index) => ({ revision: index + 1, status, updated: "2030-01-02T03:04:05Z", chart: "milvus-x" })));
} else if (args[0] === "metadata") {
  print({ name, chart: "milvus", version, appVersion: "2.6.15", namespace: "milvus", revision, status });
} else {
  print(args.includes("--all") ? { service: { port: 19530 }, ...values } : values);
}
function print(value) { console.log(JSON.stringify(value)); }
function fail(message) { console.error("Error: " + message); process.exit(1); }
`;

describe("readRelease", () => {
  let folder = "";
  let helm: Program;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "release-"));
    helm = { name: "helm", path: join(folder, "helm.cjs") };
    await writeFile(helm.path, HELM);
    await chmod(helm.path, 0o755);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("the newest revision, with the user's values and the chart's defaults below them", async () => {
    expect(await readRelease(helm, "my-release", "milvus")).toMatchObject({
      name: "my-release",
      namespace: "milvus",
      revision: 2,
      status: "deployed",
      chart: "milvus",
      chartVersion: "5.0.19",
      appVersion: "2.6.15",
      values: { minio: { enabled: false } },
      computedValues: { service: { port: 19530 }, minio: { enabled: false } },
    });
  });

  test("a release without values of its own", async () => {
    const release = await readRelease(helm, "no-values", "milvus");
    expect(release).toMatchObject({ status: "pending-install", values: {} });
  });

  test.each([
    ["after-failure", 2],
    ["after-two", 3],
  ])(
    "after a failed upgrade (%s) Helm goes on from what is deployed, and so do the plans",
    async (name, revision) => {
      expect(await readRelease(helm, name, "milvus")).toMatchObject({
        revision,
        status: "failed",
        chartVersion: "5.0.19",
        values: { keep: "me" },
        computedValues: { keep: "me" },
      });
    },
  );

  test("where two rollbacks have overtaken each other the older revision may be the deployed one", async () => {
    expect(await readRelease(helm, "overtaken", "milvus")).toMatchObject({
      revision: 2,
      status: "superseded",
      values: { keep: "me" },
    });
  });

  test("a failed first installation is all there is", async () => {
    const release = await readRelease(helm, "first-failed", "milvus");
    expect(release).toMatchObject({ revision: 1, status: "failed", values: { only: 1 } });
  });

  test("no such release", async () => {
    expect(await readRelease(helm, "no-such", "milvus")).toBeUndefined();
  });

  test("a refusal is told from a release that isn't there", async () => {
    const reading = readRelease(helm, "no-rights", "milvus");
    await expect(reading).rejects.toThrow(ActionError);
    await expect(reading).rejects.toThrow(
      "Helm could not read release no-rights in namespace milvus.\nWhy: Error: query: failed to query with labels: secrets is forbidden",
    );
  });
});
