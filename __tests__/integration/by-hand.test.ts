import { chmod, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { PROJECT } from "../../local-gke/run-action.ts";
import { CancelledError } from "../../src/base/errors.ts";
import { type Output, run } from "../../src/base/process.ts";
import { CHART, HOST, useCluster } from "./support/cluster.ts";
import { untilRevision } from "./support/pods.ts";

const PROGRAM = join(PROJECT, "dist/index.js");

const cluster = useCluster();
/** Its upgrades are cancelled. */
const CANCELLED = "laptop-cancelled";
let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(cluster.gke.directory, "by-hand-"));
  await Promise.all(["laptop", CANCELLED].map((namespace) => cluster.installSmall(namespace)));
});

/** Runs the built program as somebody does in a shell. */
async function byHand(...args: string[]): Promise<Output> {
  return byHandUntil(undefined, ...args);
}

/** @param signal ends the program as a terminal does */
async function byHandUntil(signal: AbortSignal | undefined, ...args: string[]): Promise<Output> {
  return run({ name: "node", path: process.execPath, env: environment() }, [PROGRAM, ...args], { signal });
}

/**
 * Runs the built program in a terminal, in which somebody presses Ctrl-C once the pattern is on the screen.
 */
async function inTerminal(pattern: string, ...args: string[]): Promise<Output> {
  const driver = join(import.meta.dirname, "support/terminal.py");
  const own = environment();
  const env = { ...own, PATH: `${own.PATH}:${process.env.PATH}`, TERM: "xterm-256color" };
  return run({ name: "python3", path: "python3", env }, [
    driver,
    pattern,
    process.execPath,
    PROGRAM,
    ...args,
  ]);
}

function environment(): Record<string, string> {
  const { KUBECONFIG: _, ...credentials } = cluster.gke.env;
  const path = [dirname(cluster.tools.helm4), dirname(cluster.tools.kubectl)].join(":");
  return { ...credentials, PATH: path, HOME: home, TMPDIR: home, GITHUB_ACTIONS: "" };
}

const token = async () => {
  const file = join(home, "token");
  await writeFile(file, "root:Milvus\n");
  await chmod(file, 0o600);
  return `--milvus-token=@${file}`;
};

test("plans, deploys and plans again by hand as a workflow does, and leaves nothing behind", async () => {
  const which = ["--namespace", "laptop", "--cluster-name", "my-cluster", "--location", "us-central1"];
  const flags = ["--host", HOST, ...which, "--chart", CHART, await token()];
  const planned = await byHand(...flags, "--mode", "plan", "--output", "json");
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(JSON.parse(planned.stdout)).toMatchObject({
    would_change: "true",
    plan: { later: ["value service.type changes"] },
  });
  expect(planned.stderr).toContain("▸ Look and plan");
  expect(planned.stderr).not.toMatch(/^::/m);

  const deployed = await byHand(...flags);
  expect(deployed.exitCode, deployed.stderr).toBe(0);
  expect(deployed.stdout).toMatch(/^endpoint +https:\/\/\S+:443$/m);
  expect(deployed.stdout).not.toContain(home);

  const again = await byHand(...flags, "--mode=plan", "--fail-on-changes", "--output=json");
  expect(again.exitCode, again.stderr).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ would_change: "false" });
  for (const { stdout, stderr } of [planned, deployed, again]) {
    expect(`${stdout}${stderr}`).not.toContain("root:Milvus");
  }
  expect((await readdir(home)).filter((name) => name.startsWith("milvus"))).toEqual([]);
});

test("Ctrl-C cancels in order: Helm records the upgrade as failed, and nothing is left pending", async () => {
  const which = ["--namespace", CANCELLED, "--cluster-name", "my-cluster", "--location", "us-central1"];
  const slow = "--values=annotations: {local-gke/ready-after: 1h}";
  const terminal = new AbortController();
  const running = byHandUntil(terminal.signal, "--host", HOST, ...which, "--chart", CHART, slow);
  await untilRevision(cluster, CANCELLED, 2);
  terminal.abort(new CancelledError("SIGINT"));
  const { exitCode, stderr } = await running;
  expect(stderr).toContain("The job was cancelled (SIGINT).");
  expect(exitCode, stderr).toBe(130);
  expect(await cluster.revisions(CANCELLED)).toEqual(["deployed", "failed"]);
});

test("a run whose log nobody reads any more ends, and leaves nothing behind", async () => {
  const which = ["--namespace", "laptop", "--cluster-name", "my-cluster", "--location", "us-central1"];
  const command = [process.execPath, PROGRAM, "--host", HOST, ...which, "--chart", CHART, "--mode", "plan"];
  const own = environment();
  const shell = { name: "sh", path: "/bin/sh", env: { ...own, PATH: `${own.PATH}:${process.env.PATH}` } };
  const { stdout } = await run(shell, ["-c", '"$0" "$@" 2>&1 | head -n 1', ...command]);
  expect(stdout).toContain("▸ Tools and cluster");
  expect((await readdir(home)).filter((name) => name.startsWith("milvus"))).toEqual([]);
});

test("a terminal has colours and a spinner, and its Ctrl-C cancels the run", async () => {
  const which = ["--namespace", CANCELLED, "--cluster-name", "my-cluster", "--location", "us-central1"];
  const flags = ["--host", HOST, ...which, "--chart", CHART, await token()];
  const planned = await inTerminal("", ...flags, "--mode", "plan");
  expect(planned.exitCode, planned.stdout).toBe(0);
  const bold = "\x1b[1m▸ Look and plan\x1b[22m";
  const spinner = "\r\x1b[2K⠋ Look and plan 0.0s";
  expect(planned.stdout).toContain(`${bold}\r\n${spinner}`);
  // The spinner is gone before the result.
  const result = planned.stdout.slice(planned.stdout.lastIndexOf("\x1b[2K"));
  expect(result).toMatch(/^would_change +true\r$/m);
  expect(planned.stdout).not.toContain("root:Milvus");

  const slow = "--values=annotations: {local-gke/ready-after: 1h}";
  const cancelled = await inTerminal("▸ Upgrade the Helm release", ...flags, slow);
  expect(cancelled.exitCode, cancelled.stdout).toBe(130);
  expect(cancelled.stdout).toContain("\r\x1b[2K⠋ Cancelling: Upgrade the Helm release 0.0s");
  expect(cancelled.stdout).toContain("The job was cancelled (SIGINT).");
});

test.each([
  { args: ["--hots", "a.b"], exitCode: 2, stderr: /^"--hots" is not a flag\./ },
  { args: ["--host", "a_b", "--location=x"], exitCode: 1, stderr: /^Error: 2 inputs are not usable/m },
])("$args ends with $exitCode", async ({ args, exitCode, stderr }) => {
  const result = await byHand(...args);
  expect(result).toMatchObject({ exitCode, stderr: expect.stringMatching(stderr) });
});

test("--help lists the inputs", async () => {
  const { exitCode, stdout, stderr } = await byHand("--help");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(/^ {2}--cluster-name$/m);
});
