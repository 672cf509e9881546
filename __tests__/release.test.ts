import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { type Output, run } from "../src/base/process.ts";

const PROJECT = join(import.meta.dirname, "..");
const SCRIPT = join(PROJECT, ".github/release.sh");

/** A stand-in for gh. It notes its arguments, and takes the state of the release from GH_DRAFT. */
const GH = `#!/usr/bin/env bash
echo "$*" >> "$HOME/asked"
case "$*" in
  "release view"*) [ -n "$GH_DRAFT" ] && echo "$GH_DRAFT" ;;
esac
`;

/**
 * Makes a repository with a remote, whose main has the version 1.2.3, and returns what runs the script in it.
 */
async function aRepository() {
  const home = await mkdtemp(join(tmpdir(), "release-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const clone = join(home, "clone");
  await mkdir(join(home, "bin"));
  await writeFile(join(home, "bin/gh"), GH, { mode: 0o755 });
  const env = {
    HOME: home,
    PATH: `${join(home, "bin")}:${process.env.PATH}`,
    GIT_CONFIG_GLOBAL: join(home, "gitconfig"),
    // Otherwise npm asks its registry for a newer one.
    npm_config_update_notifier: "false",
  };
  const identity = "[user]\nname = x\nemail = x@example.com\n[init]\ndefaultBranch = main\n";
  await writeFile(env.GIT_CONFIG_GLOBAL, identity);

  const git = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await run({ name: "git", path: "git", env }, ["-C", clone, ...args]);
    expect(exitCode, stderr).toBe(0);
    return stdout.trim();
  };
  /** Commits this version, and pushes the commit to main. */
  const commit = async (version: string) => {
    const packaged = JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8"));
    await writeFile(join(clone, "package.json"), JSON.stringify({ ...packaged, version }));
    const changelog = `# Changelog\n\n## Unreleased\n\n## ${version}\n\n- new in ${version}\n\n## 1.0.0\n\n- old\n`;
    await writeFile(join(clone, "CHANGELOG.md"), changelog);
    await git("add", ".");
    await git("commit", "-q", "-m", version);
    await git("push", "-q", "origin", "HEAD:main");
  };
  await mkdir(clone);
  await git("init", "-q", "--bare", join(home, "remote"));
  await git("init", "-q");
  await git("remote", "add", "origin", join(home, "remote"));
  await cp(join(PROJECT, "package-lock.json"), join(clone, "package-lock.json"));
  await commit("1.2.3");

  const release = (tag: string, command: string, draft = ""): Promise<Output> => {
    const script = `cd "${clone}" && "${SCRIPT}" ${command}`;
    const variables = { ...env, TAG: tag, GH_DRAFT: draft };
    return run({ name: "release.sh", path: "/usr/bin/env", env: variables }, ["bash", "-c", script]);
  };
  const asked = async () => (await readFile(join(home, "asked"), "utf8")).trimEnd().split("\n");
  const remote = async (ref: string) => (await git("ls-remote", "origin", ref)).split("\t")[0];
  return { clone, git, commit, release, asked, remote };
}

test("check accepts a tag of main with the version of package.json and the changelog", async () => {
  const { git, release } = await aRepository();
  await git("tag", "v1.2.3");
  expect(await release("v1.2.3", "check")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test.each([
  {
    what: "a commit that main lacks",
    prepare: ["commit", "-q", "--allow-empty", "-m", "mine"],
    tag: "v1.2.3",
    message: "v1.2.3: it is not on main.",
  },
  {
    what: "another version in package.json",
    prepare: ["status"],
    tag: "v1.2.4",
    message: 'v1.2.4: package.json has the version "1.2.3". Set it to "1.2.4".',
  },
])("check refuses $what", async ({ prepare, tag, message }) => {
  const { git, release } = await aRepository();
  await git(...prepare);
  await git("tag", tag);
  expect(await release(tag, "check")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(message),
  });
});

test("check refuses a version that the changelog doesn't name", async () => {
  const { clone, git, release } = await aRepository();
  await git("tag", "v1.2.3");
  await writeFile(join(clone, "CHANGELOG.md"), "# Changelog\n\n## 1.2.3\n\n## 1.2.2\n\n- old\n");
  const { exitCode, stderr } = await release("v1.2.3", "check");
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: 'v1.2.3: CHANGELOG.md says nothing under "## 1.2.3".',
  });
});

test("publish makes a draft with the changelog's section and the SBOM of what is bundled, then shows it", async () => {
  const { clone, release, asked } = await aRepository();
  const { exitCode, stderr } = await release("v1.2.3", "publish");
  expect(exitCode, stderr).toBe(0);
  expect(await asked()).toEqual([
    "release view v1.2.3 --json isDraft --jq .isDraft",
    "release create v1.2.3 --draft --verify-tag --title v1.2.3 --notes-file notes.md sbom.cdx.json",
    "release edit v1.2.3 --draft=false",
  ]);
  expect((await readFile(join(clone, "notes.md"), "utf8")).trim()).toBe("- new in 1.2.3");
  const sbom = JSON.parse(await readFile(join(clone, "sbom.cdx.json"), "utf8"));
  const names = sbom.components.map(({ name }: { name: string }) => name);
  expect(names).toContain("google-auth-library");
  expect(names).not.toContain("vitest");
});

test.each([
  { draft: "true", commands: ["view", "delete", "create", "edit"] },
  { draft: "false", commands: ["view"] },
])(
  "publish after a run that left a release with draft: $draft asks for $commands",
  async ({ draft, commands }) => {
    const { release, asked } = await aRepository();
    expect(await release("v1.2.3", "publish", draft)).toMatchObject({ exitCode: 0 });
    expect((await asked()).map((command) => command.split(" ")[1])).toEqual(commands);
  },
);

test("move-major makes v1, moves it, and leaves it when an older version is released later", async () => {
  const { git, commit, release, asked, remote } = await aRepository();
  await git("tag", "v1.2.3");
  expect(await release("v1.2.3", "move-major")).toMatchObject({ exitCode: 0 });
  const first = await git("rev-parse", "v1.2.3");
  expect(await remote("refs/tags/v1")).toBe(first);

  await commit("1.10.0");
  await git("tag", "-a", "-m", "x", "v1.10.0");
  expect(await release("v1.10.0", "move-major")).toMatchObject({ exitCode: 0 });
  const second = await git("rev-parse", "v1.10.0^{commit}");
  expect(second).not.toBe(first);
  expect(await remote("refs/tags/v1")).toBe(second);
  expect(await asked()).toEqual(["auth setup-git", "auth setup-git"]);

  await git("tag", "v1.2.4", "v1.2.3");
  const { stdout } = await release("v1.2.4", "move-major");
  expect(stdout).toBe("v1 stays where it is: v1.10.0 is newer than v1.2.4.\n");
  expect(await remote("refs/tags/v1")).toBe(second);
});

test("release.yml runs all of it, in this order, after the tests", async () => {
  const { jobs } = parse(await readFile(join(PROJECT, ".github/workflows/release.yml"), "utf8"));
  const steps: { run?: string }[] = jobs.release.steps;
  expect(steps.flatMap(({ run }) => run ?? [])).toEqual(
    ["check", "publish", "move-major"].map((command) => `.github/release.sh ${command}`),
  );
  expect(jobs.release.needs).toBe("test");
});
