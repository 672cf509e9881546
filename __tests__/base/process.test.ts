import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ActionError, CancelledError } from "../../src/base/errors.ts";
import { type Program, run, stream } from "../../src/base/process.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "process test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const node: Program = { name: "node", path: process.execPath };
const PRINT_ARGUMENTS = "console.log(JSON.stringify(process.argv.slice(1)))";

describe.each([
  ["run", run],
  [
    "stream",
    (program: Program, args: string[], options: { input?: string } = {}) => stream(program, args, options),
  ],
])("%s", (_, start) => {
  test("returns the exit code and both outputs of a program that fails", async () => {
    const script = 'process.stdout.write("out\\n"); process.stderr.write("err\\n"); process.exitCode = 3';
    const { exitCode, stdout, stderr } = await start(node, ["-e", script]);
    expect([exitCode, stdout.trimEnd(), stderr.trimEnd()]).toEqual([3, "out", "err"]);
  });

  test("a program that a signal has ended has failed", async () => {
    const { exitCode } = await start(node, ["-e", 'process.kill(process.pid, "SIGKILL")']);
    expect(exitCode).toBe(1);
  });

  test("hands over standard input", async () => {
    const script = "process.stdin.pipe(process.stdout)";
    const input = `müßig 🐟\n${"x".repeat(200_000)}`;
    expect((await start(node, ["-e", script], { input })).stdout).toBe(input);
  });

  test("arguments reach the program as they are, leading ones first", async () => {
    const args = ["a b", '"q"', "$HOME", "", "*", "--flag", "line\nbreak", "back\\slash", "; false"];
    const program = { ...node, leadingArgs: ["-e", PRINT_ARGUMENTS, "--", "first"] };
    expect(JSON.parse((await start(program, args)).stdout)).toEqual(["first", ...args]);
  });

  test("variables are laid over the action's own environment", async () => {
    const script = "console.log(JSON.stringify([process.env.KUBECONFIG, process.env.PATH]))";
    const program = { ...node, env: { KUBECONFIG: "/a b/config" } };
    expect(JSON.parse((await start(program, ["-e", script])).stdout)).toEqual([
      "/a b/config",
      process.env.PATH,
    ]);
  });

  test("a path with spaces", async () => {
    const path = join(folder, "node with spaces");
    await symlink(process.execPath, path);
    expect((await start({ name: "node", path }, ["-p", "1 + 1"])).stdout.trim()).toBe("2");
  });

  test("a program that isn't there", async () => {
    const started = start({ name: "helm", path: join(folder, "helm") }, ["version"]);
    await expect(started).rejects.toThrow(ActionError);
    await expect(started).rejects.toThrow(`helm (${join(folder, "helm")}) could not be started.\nWhy: `);
  });
});

describe("stream", () => {
  test("hands over lines as they come, while the program waits for the answer", async () => {
    const script = `
      console.log("first\\r");
      process.once("SIGTERM", () => { console.log("second"); console.error("done"); process.exit(7); });
      setInterval(() => {}, 1000);`;
    const controller = new AbortController();
    const lines: string[] = [];
    const errorLines: string[] = [];
    const output = await stream(node, ["-e", script], {
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
    ["SIGTERM", undefined],
  ])("passes %s on and waits for the program's own end", async (signal, reason) => {
    const controller = new AbortController();
    const output = await stream(node, ["-e", UNTIL_SIGNALLED], {
      signal: controller.signal,
      onLine: () => controller.abort(reason),
    });
    expect(output).toEqual({ exitCode: 0, stdout: "", stderr: signal });
  });

  test("does not wait for what a wrapper that was ended has left behind", async () => {
    const script = `
      const { pid } = require("node:child_process").spawn("sleep", ["60"], { stdio: "inherit" });
      console.log(pid);`;
    const controller = new AbortController();
    let left = 0;
    await stream(node, ["-e", script], {
      signal: controller.signal,
      onLine: (pid) => {
        left = Number(pid);
        controller.abort();
      },
    });
    // Throws when there is no such process any longer.
    expect(process.kill(left, "SIGKILL")).toBe(true);
  });

  test("ends a program at once when the job was cancelled before", async () => {
    const output = await stream(node, ["-e", "setInterval(() => {}, 1000)"], {
      signal: AbortSignal.abort(new CancelledError("SIGINT")),
    });
    expect(output.exitCode).toBe(1);
  });

  test("an input that the program doesn't read does no harm", async () => {
    const output = await stream(node, ["-e", "process.exit(4)"], { input: "x".repeat(5_000_000) });
    expect(output.exitCode).toBe(4);
  });

  test("leaves no listener on the signal behind", async () => {
    const { signal } = new AbortController();
    const listening: string[] = [];
    const watched = new Proxy(signal, {
      get: (target, key) => {
        if (key === "addEventListener") return () => listening.push("added");
        if (key === "removeEventListener") return () => listening.pop();
        return Reflect.get(target, key, target);
      },
    });
    await stream(node, ["-e", ""], { signal: watched });
    expect(listening).toEqual([]);
  });
});
