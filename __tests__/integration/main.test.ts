import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";

const DIST = join(import.meta.dirname, "../../dist/index.js");

function start(preload: string, environment: Record<string, string> = {}) {
  const source = `data:text/javascript,${encodeURIComponent(preload)}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", source, DIST], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...environment },
  });
  return { output: stdout + stderr, status };
}

test("an error that nobody has caught is one annotation, not the whole program's text", () => {
  const { output, status } = start(`process.on("newListener", (name) => {
    if (name === "uncaughtException") setTimeout(() => { throw new Error("out of the blue"); });
  });`);
  expect(status).toBe(1);
  expect(output).toContain(
    "::error title=Milvus on GKE::An error that this action does not know: out of the blue",
  );
  expect(Math.max(...output.split("\n").map((line) => line.length))).toBeLessThan(2000);
});

async function reportFiles(): Promise<
  Record<"GITHUB_OUTPUT" | "GITHUB_STATE" | "GITHUB_STEP_SUMMARY", string>
> {
  const directory = await mkdtemp(join(tmpdir(), "main-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const files = {
    GITHUB_OUTPUT: join(directory, "output"),
    GITHUB_STATE: join(directory, "state"),
    GITHUB_STEP_SUMMARY: join(directory, "summary"),
  };
  for (const file of Object.values(files)) await writeFile(file, "");
  return files;
}

test("outputs and summary are written in spite of an error that nobody has caught", async () => {
  const files = await reportFiles();
  const { output, status } = start(
    `process.on("newListener", (name) => {
      if (name === "uncaughtException") process.nextTick(() => { throw new Error("out of the blue"); });
    });`,
    { ...files, INPUT_HOST: "a.example.com", INPUT_KUBECONFIG: "/nonexistent" },
  );
  expect(status).toBe(1);
  expect(output.match(/^::error/gm)).toHaveLength(1);
  expect(await readFile(files.GITHUB_OUTPUT, "utf8")).toMatch(/^changed<<.*\nfalse\n/);
  expect(await readFile(files.GITHUB_STEP_SUMMARY, "utf8")).toContain("out of the blue");
});

test("a summary that can't be written is a warning beside the one error", async () => {
  const files = await reportFiles();
  const { output, status } = start("", { ...files, GITHUB_STEP_SUMMARY: "/nonexistent/summary" });
  expect(status).toBe(1);
  expect(output.match(/^::error.*/gm)).toEqual([expect.stringContaining("host is required")]);
  expect(output.match(/^::warning.*/gm)).toEqual([
    expect.stringContaining("The job summary can't be written: ENOENT"),
  ]);
  expect(await readFile(files.GITHUB_OUTPUT, "utf8")).toMatch(/^changed<<.*\nfalse\n/);
});

test("state that can't be written is one error, before anything else is done", async () => {
  const { output, status } = start("", { ...(await reportFiles()), GITHUB_STATE: "/dev/full" });
  expect(status).toBe(1);
  expect(output.match(/^::error.*/gm)).toEqual([
    expect.stringMatching(
      /^::error title=Milvus on GKE::The runner's file for state can't be written; .*%0AWhy: ENOSPC/,
    ),
  ]);
});

/** What keeps a process running, as a request does that nobody waits for any more. */
const HELD = "setInterval(() => {}, 1_000_000);";

test("a failed run ends although something would keep it running", async () => {
  const { output, status } = start(HELD, await reportFiles());
  expect(status).toBe(1);
  expect(output).toContain("host is required");
});

test("a cancelled run ends although a program that it has started ignores the runner's signal", async () => {
  const directory = await mkdtemp(join(tmpdir(), "main-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const note = join(directory, "pid");
  // Signals that a shell ignores stay ignored in the program that takes its place.
  const kubectl = `#!/bin/sh\ntrap '' INT TERM\necho $$ > ${note}\nkill -INT $PPID\nexec sleep 600\n`;
  await writeFile(join(directory, "kubectl"), kubectl, { mode: 0o755 });
  const { output, status } = start("", {
    ...(await reportFiles()),
    PATH: `${directory}:${process.env.PATH}`,
    RUNNER_TEMP: directory,
    INPUT_HOST: "a.example.com",
    INPUT_KUBECONFIG: "/nonexistent",
  });
  // It still runs, so the run has not waited for it.
  process.kill(Number(await readFile(note, "utf8")), "SIGKILL");
  expect(status).toBe(1);
  expect(output.match(/^::error.*/gm)).toEqual([
    expect.stringContaining(
      "The job was cancelled (SIGINT). It was in step: Tools and cluster. Nothing was changed.",
    ),
  ]);
});

test("mistakes in files are annotations at their lines, before the one error that names them all", async () => {
  const files = await reportFiles();
  const workspace = dirname(files.GITHUB_OUTPUT);
  await writeFile(join(workspace, "values.yaml"), "a: 1\nb: [\n");
  const inputs = { INPUT_HOST: "a.example.com", INPUT_KUBECONFIG: "/k", INPUT_VALUES_FILES: "values.yaml" };
  const action = { GITHUB_ACTION_REPOSITORY: "o/r", GITHUB_ACTION_REF: "v1" };
  const { output, status } = start("", { ...files, ...inputs, ...action, GITHUB_WORKSPACE: workspace });
  expect(status).toBe(1);
  expect(await readFile(files.GITHUB_STEP_SUMMARY, "utf8")).toContain(
    "[Cause and remedy](<https://github.com/o/r/blob/v1/docs/troubleshooting.md#yaml>)",
  );
  expect(output.match(/^::error.*/gm)).toEqual([
    expect.stringMatching(
      /^::error title=Milvus on GKE,file=values\.yaml,line=3::values_files: values\.yaml is not valid YAML at line 3/,
    ),
    expect.stringMatching(
      /^::error title=Milvus on GKE::An input is not usable; nothing was changed\.%0A- values_files/,
    ),
  ]);
});

test("hostile inputs end in one error, without a stack trace, a workflow command or a shell", async () => {
  const files = await reportFiles();
  const evil = "::set-output name=uri::evil\r\n##[error]evil\n$(touch /tmp/evil); `id`\u001b[2J__proto__";
  const names = Object.keys(parse(await readFile(join(DIST, "../../action.yml"), "utf8")).inputs);
  const inputs = Object.fromEntries(names.map((name) => [`INPUT_${name.toUpperCase()}`, evil]));
  const { output, status } = start("", {
    ...files,
    ...inputs,
    GITHUB_WORKSPACE: dirname(files.GITHUB_OUTPUT),
  });
  expect(status).toBe(1);
  const lines = output.trimEnd().split(/\r\n|\r|\n/);
  expect(lines).toEqual([
    expect.stringMatching(
      /^::error title=Milvus on GKE::\d+ inputs are not usable; nothing was changed\.%0A- /,
    ),
  ]);
  expect(output).not.toContain("\u001b");
  expect(output).not.toMatch(/\bat .*\.js:/);
  expect(await readFile(files.GITHUB_OUTPUT, "utf8")).not.toMatch(/^uri/m);
});

test.each([
  ["a mistake in an input is found", {}, 1],
  ["the post step runs", { STATE_started: "true" }, 0],
])("%s without what a deployment needs", async (_, environment, expected) => {
  const files = await reportFiles();
  const list = join(dirname(files.GITHUB_OUTPUT), "loaded");
  const hook = join(DIST, "../../local-gke/bench/loaded-modules.ts");
  const exit = `process.on("exit", () => console.log(process.moduleLoadList.filter((name) => /undici/.test(name))));`;
  const { output, status } = start(exit, {
    ...files,
    ...environment,
    LOADED_MODULES: list,
    NODE_OPTIONS: `--import=${hook}`,
  });
  expect(status).toBe(expected);
  // An import of node:http in an ES module would load Node.js's own fetch.
  expect(output).toMatch(/^\[\]$/m);
  expect((await readFile(list, "utf8")).trim()).toBe(DIST);
  expect((await stat(DIST)).size).toBeLessThan(400_000);
});

test("a Node.js that is too old is refused", () => {
  const { output, status } = start(
    `Object.defineProperty(process.versions, "node", { value: "20.20.2", configurable: true });`,
  );
  expect(status).toBe(1);
  expect(output).toContain("::error title=Milvus on GKE::This action runs on Node.js 24");
});
