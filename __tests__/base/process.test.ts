import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { ActionError, CancelledError } from "../../src/base/errors.ts";
import { type Program, run, runCommandFile } from "../../src/base/process.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "process test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const node: Program = { name: "node", path: process.execPath };
const PRINT_ARGUMENTS = "console.log(JSON.stringify(process.argv.slice(1)))";

describe("run", () => {
  test("returns the exit code and both outputs of a program that fails", async () => {
    const script = 'process.stdout.write("out\\n"); process.stderr.write("err\\n"); process.exitCode = 3';
    const { exitCode, stdout, stderr } = await run(node, ["-e", script]);
    expect([exitCode, stdout, stderr]).toEqual([3, "out\n", "err"]);
  });

  test("reports a program that a signal ended as failed, and says so in its place", async () => {
    const { exitCode, stderr } = await run(node, ["-e", 'process.kill(process.pid, "SIGKILL")']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "node was killed by SIGKILL." });
  });

  test("writes the input to standard input and returns the output unchanged", async () => {
    const script = "process.stdin.pipe(process.stdout)";
    const input = `müßig 🐟\r\n\u2028${"x".repeat(200_000)}\n\n`;
    expect((await run(node, ["-e", script], { input })).stdout).toBe(input);
  });

  test("passes arguments on unchanged, leading ones first", async () => {
    const args = ["a b", '"q"', "$HOME", "", "*", "--flag", "line\nbreak", "back\\slash", "; false"];
    const program = { ...node, leadingArgs: ["-e", PRINT_ARGUMENTS, "--", "first"] };
    expect(JSON.parse((await run(program, args)).stdout)).toEqual(["first", ...args]);
  });

  test("adds variables to the action's own environment", async () => {
    const script = "console.log(JSON.stringify([process.env.KUBECONFIG, process.env.PATH]))";
    const program = { ...node, env: { KUBECONFIG: "/a b/config" } };
    expect(JSON.parse((await run(program, ["-e", script])).stdout)).toEqual([
      "/a b/config",
      process.env.PATH,
    ]);
  });

  test("keeps the action's inputs from programs: they may be secrets", async () => {
    vi.stubEnv("INPUT_MILVUS_TOKEN", "root:secret");
    onTestFinished(() => void vi.unstubAllEnvs());
    const script = "console.log(Object.keys(process.env).join())";
    expect((await run(node, ["-e", script])).stdout).not.toContain("INPUT_MILVUS_TOKEN");
  });

  test("starts a program whose path has spaces", async () => {
    const path = join(folder, "node with spaces");
    await symlink(process.execPath, path);
    expect((await run({ name: "node", path }, ["-p", "1 + 1"])).stdout.trim()).toBe("2");
  });

  test("rejects if the program does not exist", async () => {
    const started = run({ name: "helm", path: join(folder, "helm") }, ["version"]);
    await expect(started).rejects.toThrow(ActionError);
    await expect(started).rejects.toThrow(`helm (${join(folder, "helm")}) could not be started.\nWhy: `);
  });

  test("hands over each line as it arrives, while the program still runs", async () => {
    const script = `
      console.log("first\\r");
      process.once("SIGTERM", () => { console.log("second"); console.error("done"); process.exit(7); });
      setInterval(() => {}, 1000);`;
    const controller = new AbortController();
    const lines: string[] = [];
    const errorLines: string[] = [];
    const output = await run(node, ["-e", script], {
      signal: controller.signal,
      onLine: (line) => {
        lines.push(line);
        // Only a line that arrives before the program's end can end the program.
        if (line === "first") setTimeout(() => controller.abort(), 100);
      },
      onErrorLine: (line) => errorLines.push(line),
    });
    expect(lines).toEqual(["first", "second"]);
    expect(errorLines).toEqual(["done"]);
    expect(output).toEqual({ exitCode: 7, stdout: "", stderr: "done" });
  });

  const UNTIL_SIGNALLED = `
    for (const signal of ["SIGTERM", "SIGINT"]) {
      process.on(signal, () => setTimeout(() => { console.error(signal); process.exit(0); }, 50));
    }
    setInterval(() => {}, 1000);
    console.log("ready");`;

  test.each([
    ["SIGINT", new CancelledError("SIGINT")],
    ["SIGTERM", new CancelledError("SIGTERM")],
    // Helm records a failure on SIGINT and SIGTERM only.
    ["SIGTERM", new CancelledError("SIGHUP")],
    ["SIGTERM", new CancelledError("SIGPIPE")],
    ["SIGTERM", undefined],
  ])("sends %s and waits for the program to end by itself", async (signal, reason) => {
    const controller = new AbortController();
    const output = await run(node, ["-e", UNTIL_SIGNALLED], {
      signal: controller.signal,
      onLine: () => controller.abort(reason),
    });
    expect(output).toEqual({ exitCode: 0, stdout: "", stderr: signal });
  });

  test.each([
    [false, "ends with"],
    [true, "outlives"],
  ])("outlives: %j: a program %s the process that runs it", async (outlives) => {
    const module = JSON.stringify(join(import.meta.dirname, "../../src/base/process.ts"));
    const script = `
      import { run } from ${module};
      const onLine = (pid) => { console.error(pid); process.exit(); };
      await run({ name: "sh", path: "/bin/sh" }, ["-c", "echo $$; exec sleep 60"], { onLine, outlives: ${outlives} });`;
    const { stderr } = await run(node, ["--input-type=module", "-e", script]);
    const pid = Number(stderr);
    if (outlives) expect(process.kill(pid, "SIGKILL")).toBe(true);
    else await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), { timeout: 10_000 });
  });

  test("does not wait for a child that an ended wrapper left running", async () => {
    const script = `
      const { pid } = require("node:child_process").spawn("sleep", ["60"], { stdio: "inherit" });
      console.log(pid);`;
    const controller = new AbortController();
    let left = 0;
    await run(node, ["-e", script], {
      signal: controller.signal,
      onLine: (pid) => {
        left = Number(pid);
        controller.abort();
      },
    });
    // Throws if the process is gone.
    expect(process.kill(left, "SIGKILL")).toBe(true);
  });

  test("ends a program at once if the job was already cancelled", async () => {
    const output = await run(node, ["-e", "setInterval(() => {}, 1000)"], {
      signal: AbortSignal.abort(new CancelledError("SIGINT")),
    });
    expect(output.exitCode).toBe(1);
  });

  test("ignores that a program does not read its input", async () => {
    const output = await run(node, ["-e", "process.exit(4)"], { input: "x".repeat(5_000_000) });
    expect(output.exitCode).toBe(4);
  });

  test("removes its listener from the signal", async () => {
    const { signal } = new AbortController();
    const listening: string[] = [];
    const watched = new Proxy(signal, {
      get: (target, key) => {
        if (key === "addEventListener") return () => listening.push("added");
        if (key === "removeEventListener") return () => listening.pop();
        return Reflect.get(target, key, target);
      },
    });
    await run(node, ["-e", ""], { signal: watched });
    expect(listening).toEqual([]);
  });
});

test("runCommandFile starts a program whose path has spaces and passes arguments on unchanged", async () => {
  const path = join(folder, "node with spaces");
  await symlink(process.execPath, path);
  const { exitCode, stdout } = await runCommandFile(path, [
    "-e",
    `${PRINT_ARGUMENTS}; process.exitCode = 3`,
    "a b",
    '"q"',
  ]);
  expect([exitCode, JSON.parse(stdout)]).toEqual([3, ["a b", '"q"']]);
});

test.each([
  [false, false],
  [true, true],
])("ownGroup: %j: the program leads a process group: %j", async (ownGroup, leads) => {
  const { stdout } = await run({ name: "sh", path: "/bin/sh" }, ["-c", "echo $$ $(ps -o pgid= -p $$)"], {
    ownGroup,
  });
  const [pid, group] = stdout.trim().split(/\s+/);
  expect(pid === group).toBe(leads);
});
