import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { which } from "@actions/io";
import { beforeAll, describe, expect, test } from "vitest";
import { credentialFilesIn } from "../../local-gke/google/identities.ts";
import { gcloud } from "../../src/tools/gcloud.ts";
import { platformOf } from "../../src/tools/platform.ts";
import { aFolder, aMirror, type Mirror, type Route, scriptPrinting } from "../support/runner.ts";
import { HELM, useCluster } from "./support/cluster.ts";
import type { Inputs, Job, StepResult } from "./support/job.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const VERSION = "564.0.0";
const NEWEST = "/dl/cloudsdk/channels/rapid/components-2.json";
const ARCHIVE = gcloud.locate(VERSION, platformOf(process.platform, process.arch), "").url;
const CREDENTIALS = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE";

const cluster = useCluster(() => ({ wait_for: "none" }));
beforeAll(() => Promise.all(["gcloud", "unverified"].map((namespace) => cluster.installSmall(namespace))));

/** A runner's folder of programs: what archives are unpacked with, and nothing of gcloud. */
async function aBin(): Promise<string> {
  const bin = await aFolder();
  for (const name of ["tar", "gzip"]) await symlink(await which(name, true), join(bin, name));
  return bin;
}

async function aJob(options: { bin?: string; environment?: Record<string, string> } = {}): Promise<Job> {
  const folders = [
    options.bin ?? (await aBin()),
    dirname(cluster.tools[HELM]),
    dirname(cluster.tools.kubectl),
  ];
  return cluster.job({ environment: { PATH: folders.join(delimiter), ...options.environment } });
}

/** Returns an archive as Google packs gcloud. */
async function packed(version: string): Promise<Buffer> {
  const folder = await aFolder();
  const sdk = join(folder, "google-cloud-sdk");
  await mkdir(join(sdk, "bin"), { recursive: true });
  await writeFile(join(sdk, "VERSION"), `${version}\n`);
  const script = scriptPrinting(`Google Cloud SDK ${version}`);
  await writeFile(join(sdk, "bin", "gcloud"), script, { mode: 0o755 });
  return execFileSync("tar", ["-c", "-z", "-f", "-", "-C", folder, "google-cloud-sdk"]);
}

/** Answers as Google Cloud Storage does, with the sum of what was published. */
function stored(content: Buffer, published = content): Route {
  const md5 = createHash("md5").update(published).digest("base64");
  return (response) => response.setHeader("x-goog-hash", `crc32c=AAAAAA==,md5=${md5}`).end(content);
}

/** A host that has one release of gcloud, as dl.google.com has them. */
function aGcloudHost(archive: Route): Promise<Mirror> {
  return aMirror({ [NEWEST]: JSON.stringify({ version: VERSION, components: [] }), [ARCHIVE]: archive });
}

function inputs(version: string, mirror: Mirror, namespace = "gcloud"): Inputs {
  return cluster.inputs(namespace, { gcloud_version: version, gcloud_mirror: mirror.url });
}

function expectDone(result: StepResult): void {
  expect(expectSuccess(result).outputs).toMatchObject({
    ingress: "gcloud/my-release-milvus",
    release_revision: "2",
  });
}

/** Whatever has been put into a job's tool cache but empty folders. */
function cachedFiles({ toolCache }: Job): string[] {
  const entries = readdirSync(toolCache, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

function annotations({ lines }: StepResult, kind: "notice" | "warning"): string[] {
  return lines.filter((line) => line.startsWith(`::${kind}`));
}

describe("a runner without gcloud", () => {
  test.each([
    { wanted: VERSION, asked: [ARCHIVE] },
    { wanted: "latest", asked: [NEWEST, ARCHIVE] },
  ])("has it for the job's later steps with $wanted, and the next job downloads nothing", async (row) => {
    const mirror = await aGcloudHost(stored(await packed(VERSION)));
    const job = await aJob();
    const first = await job.main(inputs(row.wanted, mirror));
    expectDone(first);
    expect(mirror.requests).toEqual(row.asked);
    const [folder = "", ...others] = first.path;
    expect(others).toEqual([]);
    expect(folder.startsWith(`${job.toolCache}/gcloud/${VERSION}/`)).toBe(true);
    expect(execFileSync(join(folder, "gcloud"), { encoding: "utf8" })).toBe(`Google Cloud SDK ${VERSION}\n`);
    expect(readFileSync(join(folder, "../VERSION"), "utf8")).toBe(`${VERSION}\n`);
    // google-github-actions/auth has told gcloud already.
    expect(first.variables).toEqual({});

    delete mirror.routes[ARCHIVE];
    const next = await (await aJob({ environment: { RUNNER_TOOL_CACHE: job.toolCache } })).main(
      inputs(row.wanted, mirror),
    );
    expectDone(next);
    expect(next.path).toEqual([folder]);
    expect(mirror.requests.filter((path) => path === ARCHIVE)).toHaveLength(1);
  });

  test("does not hold up the deploy with auto, whose host has gone silent", async () => {
    const archive = await packed(VERSION);
    const { promise: hungUp, resolve } = Promise.withResolvers<void>();
    const mirror = await aGcloudHost((response) => {
      response.once("close", resolve).setHeader("content-length", archive.length);
      response.write(archive.subarray(0, archive.length / 2));
    });
    const job = await aJob();
    const result = await job.main(inputs("auto", mirror));
    expectDone(result);
    await hungUp;
    // Whoever waits for a silent host gives it up after a while, and asks again.
    expect(mirror.requests).toEqual([NEWEST, ARCHIVE]);
    expect(annotations(result, "notice")).toEqual([expect.stringContaining("gcloud was not installed yet")]);
    expect(annotations(result, "warning")).toEqual([]);
    expect(result.path).toEqual([]);
    expect(cachedFiles(job)).toEqual([]);
  });

  test("gets an error, once all else is done, for an archive that is not what was published", async () => {
    const mirror = await aGcloudHost(stored(await packed(VERSION), Buffer.from("what was published")));
    const job = await aJob();
    const { error, lines, outputs, path } = expectFailure(
      await job.main(inputs(VERSION, mirror, "unverified")),
    );
    expect(error).toContain("gcloud could not be downloaded; nothing was unpacked.");
    expect(error).toContain(createHash("md5").update("what was published").digest("hex"));
    expect(error).toContain("Everything else in this step is done.");
    const last = lines.findLastIndex((line) => line.startsWith("::endgroup::"));
    expect(lines.findIndex((line) => line.startsWith("::error"))).toBeGreaterThan(last);
    expect(outputs).toMatchObject({
      changed: "true",
      ingress: "unverified/my-release-milvus",
      release_revision: "2",
      ca_certificate: expect.stringContaining("BEGIN CERTIFICATE"),
    });
    expect(await cluster.names("unverified", "Ingress")).toEqual(["my-release-milvus"]);
    expect(path).toEqual([]);
    expect(cachedFiles(job)).toEqual([]);
  });

  test("has none with none, and nobody is asked", async () => {
    const mirror = await aGcloudHost(stored(await packed(VERSION)));
    const job = await aJob();
    const result = await job.main(inputs("none", mirror));
    expectDone(result);
    expect(mirror.requests).toEqual([]);
    expect(result.path).toEqual([]);
    expect(cachedFiles(job)).toEqual([]);
  });
});

describe("a runner with gcloud", () => {
  /** Returns a folder of programs in which gcloud writes down that it was started, and where it does. */
  async function aBinWithGcloud(): Promise<{ bin: string; marker: string }> {
    const bin = await aBin();
    const marker = join(bin, "started");
    await writeFile(join(bin, "gcloud"), `#!/bin/sh\n: > '${marker}'\n`, { mode: 0o755 });
    return { bin, marker };
  }

  test("keeps it with auto: it is not started, and nobody is asked", async () => {
    const { bin, marker } = await aBinWithGcloud();
    const mirror = await aGcloudHost(stored(await packed(VERSION)));
    const result = await (await aJob({ bin })).main(inputs("auto", mirror));
    expectDone(result);
    const taken = `gcloud (${join(bin, "gcloud")}): on PATH, and gcloud_version is auto.`;
    expect(result.lines).toContain(taken);
    expect(existsSync(marker)).toBe(false);
    expect(mirror.requests).toEqual([]);
    expect(result.path).toEqual([]);
    expect(result.variables).toEqual({});
  });

  test("has it authenticate with credentials_json until the job ends", async () => {
    const { bin, marker } = await aBinWithGcloud();
    const key = await readFile(credentialFilesIn(cluster.gke.directory).serviceAccountKey, "utf8");
    const files = ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", CREDENTIALS];
    const environment = Object.fromEntries(files.map((name) => [name, ""]));
    const job = await aJob({ bin, environment });
    const mirror = await aGcloudHost(stored(await packed(VERSION)));
    const result = await job.main({ ...inputs("auto", mirror), credentials_json: key });
    expectDone(result);
    expect(existsSync(marker)).toBe(false);
    expect(Object.keys(result.variables)).toEqual([CREDENTIALS]);
    const file = result.variables[CREDENTIALS] ?? "";
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(key));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);

    expect((await job.post()).exitCode).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(job.temp)).toEqual([]);
  });
});
