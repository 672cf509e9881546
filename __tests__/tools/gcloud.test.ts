import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ActionError, CancelledError } from "../../src/base/errors.ts";
import { type GcloudSearch, gcloud, startGcloud } from "../../src/tools/gcloud.ts";
import { type Platform, platformOf } from "../../src/tools/platform.ts";
import { captureLog } from "../support/job-log.ts";
import {
  aFolder,
  aMirror,
  aRunner,
  archiveOf,
  type Mirror,
  type Route,
  type Runner,
  scriptPrinting,
  sha256,
} from "../support/runner.ts";

const PLATFORM = platformOf(process.platform, process.arch);
const NEWEST = "/dl/cloudsdk/channels/rapid/components-2.json";
const IMPATIENT = { stallMs: 150, retryDelaysMs: [0] };
const CREDENTIALS = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE";

const log = captureLog();

interface Job extends Runner {
  /** What later steps find in front of their PATH. */
  addedToPath: () => Promise<string>;
  /** What later steps find in their environment. */
  exported: () => Promise<string>;
}

async function aJob(): Promise<Job> {
  const runner = await aRunner();
  const folder = await aFolder();
  const files = { GITHUB_PATH: join(folder, "path"), GITHUB_ENV: join(folder, "env") };
  for (const [name, path] of Object.entries(files)) {
    await writeFile(path, "");
    vi.stubEnv(name, path);
  }
  vi.stubEnv(CREDENTIALS, undefined);
  return {
    ...runner,
    addedToPath: () => readFile(files.GITHUB_PATH, "utf8"),
    exported: () => readFile(files.GITHUB_ENV, "utf8"),
  };
}

function pathOf(version: string): string {
  return gcloud.locate(version, PLATFORM, "").url;
}

function googHash(content: Buffer): string {
  return `crc32c=AAAAAA==,md5=${createHash("md5").update(content).digest("base64")}`;
}

/** Answers as Google Cloud Storage does. */
function stored(content: Buffer, hash: string | string[] = googHash(content)): Route {
  return (response) => response.setHeader("x-goog-hash", hash).end(content);
}

async function archive(version: string): Promise<Buffer> {
  return await archiveOf("tar.gz", "google-cloud-sdk/bin/gcloud", scriptPrinting(version));
}

/** A host with two releases of gcloud, as dl.google.com has them. */
async function aGcloudHost(replaced: Record<string, Route> = {}): Promise<Mirror> {
  return await aMirror({
    [NEWEST]: JSON.stringify({ version: "564.0.0", components: [] }),
    [pathOf("564.0.0")]: stored(await archive("564.0.0")),
    [pathOf("528.0.0")]: stored(await archive("528.0.0")),
    ...replaced,
  });
}

/** Puts an SDK folder as Google packs it on PATH by a link, as Linux packages do. */
async function sdkOnPath(
  runner: Runner,
  version: string,
): Promise<{ link: string; wasStarted: () => Promise<boolean> }> {
  const root = await aFolder();
  const marker = join(root, "started");
  await mkdir(join(root, "bin"));
  await writeFile(join(root, "VERSION"), `${version}\n`);
  await writeFile(join(root, "bin", "gcloud"), `#!/bin/sh\necho yes > '${marker}'\n`, { mode: 0o755 });
  const link = join(runner.bin, "gcloud");
  await symlink(join(root, "bin", "gcloud"), link);
  return { link, wasStarted: () => isThere(marker) };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What is in the tool cache for a version of gcloud. */
async function cached(toolCache: string, version = "564.0.0"): Promise<string[]> {
  return await readdir(join(toolCache, "gcloud", version)).catch(() => []);
}

async function failureOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ActionError) return error.message;
    throw error;
  }
  throw new Error("it did not fail");
}

/** Ends the deploy once the search is over. */
async function finishLate(search: GcloudSearch, credentialsFile?: string): Promise<void> {
  await vi.waitFor(() => expect(log.text).toMatch(/gcloud .*\(.*\): /), { timeout: 100_000 });
  await search.finish(credentialsFile);
}

describe("the runner's own gcloud", () => {
  test("is taken by auto in any version, without running it and without a request", async () => {
    const job = await aJob();
    const { link, wasStarted } = await sdkOnPath(job, "300.0.0");
    const mirror = await aGcloudHost();
    await finishLate(startGcloud({ version: "auto", mirror: mirror.url }));
    expect(log.text).toContain(`gcloud 300.0.0 (${link}): on PATH`);
    expect(await wasStarted()).toBe(false);
    expect(mirror.requests).toEqual([]);
    expect(await job.addedToPath()).toBe("");
  });

  test("is taken by auto even without a VERSION file", async () => {
    const job = await aJob();
    const marker = join(await aFolder(), "started");
    const path = await job.addToPath("gcloud", `#!/bin/sh\necho yes > '${marker}'\n`);
    await finishLate(startGcloud({ version: "auto", mirror: "http://nobody.invalid" }));
    expect(log.text).toContain(`gcloud (${path}): on PATH`);
    expect(await isThere(marker)).toBe(false);
  });

  test.each(["528.0.0", ">=500 <560", "528"])(
    "has the version of its VERSION file and satisfies %s",
    async (version) => {
      const job = await aJob();
      const { link, wasStarted } = await sdkOnPath(job, "528.0.0");
      const mirror = await aGcloudHost();
      await startGcloud({ version, mirror: mirror.url }).finish();
      expect(log.text).toContain(`gcloud 528.0.0 (${link})`);
      expect(await wasStarted()).toBe(false);
      expect(mirror.requests).toEqual([]);
      expect(await job.addedToPath()).toBe("");
    },
  );

  test("is run to learn its version if it has no VERSION file", async () => {
    const job = await aJob();
    const path = await job.addToPath(
      "gcloud",
      scriptPrinting('{"Google Cloud SDK": "528.0.0", "bq": "2.1.18"}'),
    );
    await startGcloud({ version: "528.0.0", mirror: "http://nobody.invalid" }).finish();
    expect(log.text).toContain(`gcloud 528.0.0 (${path})`);
  });

  test("is not taken if another version is requested", async () => {
    const job = await aJob();
    await sdkOnPath(job, "528.0.0");
    const { url } = await aGcloudHost();
    await startGcloud({ version: "latest", mirror: url }).finish();
    const bin = join(job.toolCache, "gcloud", "564.0.0", process.arch, "bin");
    expect(await job.addedToPath()).toBe(`${bin}\n`);
    expect(execFileSync("gcloud", { encoding: "utf8" })).toBe("564.0.0\n");
  });
});

describe("a downloaded gcloud", () => {
  test.each([
    ["auto", "564.0.0"],
    ["latest", "564.0.0"],
    [">=500", "564.0.0"],
    ["564", "564.0.0"],
    ["528.0.0", "528.0.0"],
  ])("for gcloud_version %s is %s and goes on the PATH of later steps", async (wanted, version) => {
    const job = await aJob();
    const { url } = await aGcloudHost();
    await finishLate(startGcloud({ version: wanted, mirror: `${url}/` }));
    const bin = join(job.toolCache, "gcloud", version, process.arch, "bin");
    expect(await job.addedToPath()).toBe(`${bin}\n`);
    expect(execFileSync(join(bin, "gcloud"), { encoding: "utf8" })).toBe(`${version}\n`);
    expect(await cached(job.toolCache, version)).toEqual([process.arch, `${process.arch}.complete`]);
  });

  test.each(["auto", "528.0.0", "528"])(
    "is found in the tool cache by a second job's %s",
    async (version) => {
      const job = await aJob();
      await startGcloud({ version: "528.0.0", mirror: (await aGcloudHost()).url }).finish();
      const added = await job.addedToPath();
      await writeFile(process.env.GITHUB_PATH ?? "", "");
      vi.stubEnv("PATH", "");
      log.text = "";
      await finishLate(startGcloud({ version, mirror: "http://nobody.invalid" }));
      expect(await job.addedToPath()).toBe(added);
      expect(log.text).toContain("in the tool cache");
    },
  );

  test("is verified by gcloud_sha256 if a mirror has no checksums", async () => {
    const job = await aJob();
    const content = await archive("528.0.0");
    const { url } = await aGcloudHost({ [pathOf("528.0.0")]: content });
    const pinned = sha256(content).toUpperCase();
    await startGcloud({ version: "528.0.0", mirror: url, sha256: pinned }).finish();
    expect(await job.addedToPath()).toContain("528.0.0");
  });

  test("is verified if the host sends two x-goog-hash headers", async () => {
    const job = await aJob();
    const content = await archive("528.0.0");
    const headers = googHash(content).split(",");
    const { url } = await aGcloudHost({ [pathOf("528.0.0")]: stored(content, headers) });
    await startGcloud({ version: "528.0.0", mirror: url }).finish();
    expect(await job.addedToPath()).toContain("528.0.0");
  });
});

describe("credentials", () => {
  test("of this action are exported for gcloud, also for the runner's own", async () => {
    const job = await aJob();
    await sdkOnPath(job, "528.0.0");
    await finishLate(
      startGcloud({ version: "auto", mirror: "http://nobody.invalid" }),
      "/temp/credentials.json",
    );
    expect(await job.exported()).toMatch(
      new RegExp(`^${CREDENTIALS}<<(\\S+)\n/temp/credentials.json\n\\1\n$`),
    );
  });

  test("in the job's environment stay unchanged", async () => {
    const job = await aJob();
    await sdkOnPath(job, "528.0.0");
    await finishLate(startGcloud({ version: "auto", mirror: "http://nobody.invalid" }));
    expect(await job.exported()).toBe("");
  });
});

describe("at the end of the deploy", () => {
  test("auto does not wait for a host: it abandons the search and says so", async () => {
    const job = await aJob();
    const closed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const mirror = await aGcloudHost({
      [pathOf("564.0.0")]: (response) => {
        response.on("close", closed.resolve);
        response.writeHead(200, { "content-length": "1000" });
        response.write("half", () => asked.resolve());
      },
    });
    const search = startGcloud({ version: "auto", mirror: mirror.url });
    await asked.promise;
    await search.finish("/temp/credentials.json");
    await closed.promise;
    expect(log.text).toContain("::notice::gcloud was not installed yet");
    expect(log.text).not.toContain("::warning");
    expect(await cached(job.toolCache)).toEqual([]);
    expect(await job.addedToPath()).toBe("");
    expect(await job.exported()).toBe("");
  });

  test("auto does not wait for an archive to be unpacked and removes its files", async () => {
    const job = await aJob();
    const half = join(await aFolder(), "half");
    // Stands for an archive of twenty thousand files.
    const slowTar = `#!/bin/sh\necho half > "$7/half"\necho yes > '${half}'\nexec /bin/sleep 60\n`;
    await rm(join(job.bin, "tar"));
    await job.addToPath("tar", slowTar);
    const { url } = await aGcloudHost();
    const search = startGcloud({ version: "auto", mirror: url });
    await vi.waitFor(async () => expect(await isThere(half)).toBe(true), { timeout: 100_000 });
    expect(await cached(job.toolCache)).toHaveLength(1);
    await search.finish();
    expect(log.text).toContain("::notice::gcloud was not installed yet");
    expect(await cached(job.toolCache)).toEqual([]);
  });

  test.each(["latest", "564.0.0", ">=500"])(
    "%s is waited for: whoever sets it counts on it",
    async (version) => {
      const job = await aJob();
      const content = await archive("564.0.0");
      const deployed = Promise.withResolvers<void>();
      const { url } = await aGcloudHost({
        [pathOf("564.0.0")]: (response) => {
          deployed.promise.then(() => response.setHeader("x-goog-hash", googHash(content)).end(content));
        },
      });
      const search = startGcloud({ version, mirror: url });
      const finished = search.finish();
      deployed.resolve();
      await finished;
      expect(log.text).toContain(`Waiting for gcloud, as gcloud_version is ${version}.`);
      expect(await job.addedToPath()).toContain("564.0.0");
    },
  );

  test.each([
    ["a failed deployment", (search: GcloudSearch) => search.abandon()],
    ["a cancelled job", undefined],
  ])("%s abandons the search", async (_, end) => {
    const job = await aJob();
    const closed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { url } = await aGcloudHost({
      [pathOf("528.0.0")]: (response) => {
        response.on("close", closed.resolve);
        response.write("half", () => asked.resolve());
      },
    });
    const cancelled = new AbortController();
    const search = startGcloud({ version: "528.0.0", mirror: url, signal: cancelled.signal });
    await asked.promise;
    if (end) await end(search);
    else {
      cancelled.abort();
      await search.abandon();
    }
    await closed.promise;
    expect(await cached(job.toolCache, "528.0.0")).toEqual([]);
    expect(log.text.replace(/^::debug::.*\n/gm, "")).toBe("");
  });

  test("a gcloud that hangs when it is run for its version does not delay the end", async () => {
    const job = await aJob();
    const started = join(await aFolder(), "started");
    await job.addToPath("gcloud", `#!/bin/sh\necho yes > '${started}'\nexec /bin/sleep 60\n`);
    const search = startGcloud({ version: "528.0.0", mirror: "http://nobody.invalid" });
    await vi.waitFor(async () => expect(await isThere(started)).toBe(true), { timeout: 100_000 });
    await search.abandon();
    expect(log.text).toBe("");
  });

  test("a cancelled job rejects with the cancellation", async () => {
    await aJob();
    const asked = Promise.withResolvers<void>();
    const { url } = await aGcloudHost({ [pathOf("528.0.0")]: () => asked.resolve() });
    const cancelled = new AbortController();
    const search = startGcloud({ version: "528.0.0", mirror: url, signal: cancelled.signal });
    await asked.promise;
    const finished = search.finish();
    const reason = new CancelledError("SIGTERM");
    cancelled.abort(reason);
    await expect(finished).rejects.toBe(reason);
  });

  test("none makes no request and adds nothing to the PATH", async () => {
    const job = await aJob();
    await sdkOnPath(job, "528.0.0");
    const mirror = await aGcloudHost();
    const search = startGcloud({ version: "none", mirror: mirror.url });
    await search.finish("/temp/credentials.json");
    await search.abandon();
    expect(mirror.requests).toEqual([]);
    expect([await job.addedToPath(), await job.exported(), log.text]).toEqual(["", "", ""]);
  });
});

describe("a gcloud that can't be installed", () => {
  const file = pathOf("528.0.0");
  const wrong = "0".repeat(64);
  test.each<[what: string, route: (content: Buffer) => Route, sha256: string | undefined, says: string[]]>([
    [
      "other content than the header's MD5",
      (content) => stored(content, googHash(Buffer.from("other"))),
      undefined,
      ["has MD5", "but 795f3202b17cb6bc3d4b771d8c6c9eaf was published", "gcloud_sha256"],
    ],
    ["no sum at all", (content) => content, undefined, ["x-goog-hash holds nothing", "gcloud_sha256"]],
    ["no MD5", (content) => stored(content, "crc32c=AAAAAA=="), undefined, ['holds "crc32c=AAAAAA=="']],
    ["other content than the pinned SHA-256", (content) => stored(content), wrong, ["has SHA-256", wrong]],
    [
      "an archive cut short",
      (content) => (response) => {
        response.writeHead(200, { "x-goog-hash": googHash(content), "content-length": content.length });
        response.write(content.subarray(0, 20), () => response.destroy());
      },
      undefined,
      ["broke off after 20 of"],
    ],
    ["a host that goes silent", () => () => {}, undefined, ["sent nothing for 0.15 s", "gcloud_mirror"]],
    ["no archive", () => stored(Buffer.from("no archive")), undefined, ["can't be unpacked: tar ended with"]],
    ["a missing version", () => (r) => r.writeHead(404).end(), undefined, ["(the newest at", "564.0.0)"]],
  ])(
    "because of %s leaves nothing behind, and fails the step after everything else is done",
    async (_, route, pin, says) => {
      const job = await aJob();
      const { url } = await aGcloudHost({ [file]: route(await archive("528.0.0")) });
      const request = { version: "528.0.0", mirror: url, sha256: pin, patience: IMPATIENT };
      const message = await failureOf(() => startGcloud(request).finish("/temp/credentials.json"));
      for (const part of [...says, `${url}${file}`, "Everything else in this step is done"]) {
        expect(message).toContain(part);
      }
      expect(await cached(job.toolCache, "528.0.0")).toEqual([]);
      expect([await job.addedToPath(), await job.exported()]).toEqual(["", ""]);
    },
  );

  test("because the archive holds no gcloud", async () => {
    const job = await aJob();
    const { url } = await aGcloudHost({
      [file]: stored(await archiveOf("tar.gz", "google-cloud-sdk/README", "")),
    });
    const message = await failureOf(() => startGcloud({ version: "528.0.0", mirror: url }).finish());
    expect(message).toContain("holds no google-cloud-sdk/bin/gcloud");
    expect(await cached(job.toolCache, "528.0.0")).toEqual([]);
  });

  test("is only a warning with auto", async () => {
    const job = await aJob();
    const { url } = await aMirror({});
    const search = startGcloud({ version: "auto", mirror: url });
    await vi.waitFor(() => expect(log.text).not.toBe(""), { timeout: 100_000 });
    await search.finish("/temp/credentials.json");
    expect(log.text).toContain(`::warning title=Milvus on GKE::gcloud could not be downloaded`);
    expect(log.text).toContain(`${url}${NEWEST} answered 404`);
    expect(log.text).toContain("Later steps have no gcloud");
    expect(log.text).not.toContain("::notice");
    expect([await job.addedToPath(), await job.exported()]).toEqual(["", ""]);
  });

  test("because the tool cache is read-only is reported as such", async () => {
    await aJob();
    const file = join(await aFolder(), "file");
    await writeFile(file, "");
    vi.stubEnv("RUNNER_TOOL_CACHE", file);
    const { url } = await aGcloudHost();
    const message = await failureOf(() => startGcloud({ version: "564.0.0", mirror: url }).finish());
    expect(message).toContain("gcloud could not be set up");
    expect(message).toContain("ENOTDIR");
  });

  test.each([
    ["<html>sign in</html>", "names no version"],
    ['{"version": 564}', "names no version"],
  ])("because the list of components is %s", async (text, says) => {
    await aJob();
    const { url } = await aGcloudHost({ [NEWEST]: text });
    expect(await failureOf(() => startGcloud({ version: "latest", mirror: url }).finish())).toContain(says);
  });

  test("because the newest release is outside the range names that range", async () => {
    await aJob();
    const { url } = await aGcloudHost();
    const message = await failureOf(() => startGcloud({ version: "<560", mirror: url }).finish());
    expect(message).toContain(`${url}${NEWEST} names 564.0.0`);
    expect(message).toContain("an exact version");
  });
});

test.each<[Platform, string, string]>([
  [{ os: "linux", arch: "amd64" }, "linux-x86_64.tar.gz", "bin/gcloud"],
  [{ os: "linux", arch: "arm64" }, "linux-arm.tar.gz", "bin/gcloud"],
  [{ os: "darwin", arch: "amd64" }, "darwin-x86_64.tar.gz", "bin/gcloud"],
  [{ os: "darwin", arch: "arm64" }, "darwin-arm.tar.gz", "bin/gcloud"],
  [{ os: "windows", arch: "amd64" }, "windows-x86_64.zip", "bin/gcloud.cmd"],
  [{ os: "windows", arch: "arm64" }, "windows-x86_64.zip", "bin/gcloud.cmd"],
])("for %o the archive is %s", (platform, file, member) => {
  expect(gcloud.locate("564.0.0", platform, gcloud.host)).toMatchObject({
    url: `https://dl.google.com/dl/cloudsdk/channels/rapid/downloads/google-cloud-cli-564.0.0-${file}`,
    member,
  });
});
