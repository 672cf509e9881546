import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Program } from "../../src/base/process.ts";
import { openApi } from "../../src/observe/open-api.ts";
import { aFolder, aRunner, type Runner } from "../support/runner.ts";

const SERVING = "echo 'Starting to serve on nothing'";
const NOT_ENDING = "exec /bin/sleep 60";

interface Kubectl extends Program {
  /** The process ids of its starts. */
  starts(): Promise<number[]>;
}

/** Puts a program on PATH that notes its starts. */
async function aKubectl(runner: Runner, name: string, ...script: string[]): Promise<Kubectl> {
  const list = join(await aFolder(), "starts");
  const path = await runner.addToPath(name, ["#!/bin/sh", `echo $$ >> '${list}'`, ...script].join("\n"));
  const starts = async () => {
    const text = await readFile(list, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean).map(Number);
  };
  return { name: "kubectl", path, starts };
}

async function open(choosing: Promise<Program>): Promise<void> {
  const api = await openApi(choosing, { env: {}, leadingArgs: [] }, await aFolder(), () => {});
  onTestFinished(() => api.close());
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("the kubectl on PATH connects while it is not known yet whether it will do", async () => {
  const own = await aKubectl(await aRunner(), "kubectl", SERVING, NOT_ENDING);
  const chosen = Promise.withResolvers<Program>();
  const opened = open(chosen.promise);
  await expect.poll(own.starts).toHaveLength(1);
  chosen.resolve(own);
  await opened;
  const [pid = 0, ...others] = await own.starts();
  expect(others).toEqual([]);
  expect(isRunning(pid)).toBe(true);
});

test("the error of the kubectl on PATH is reported if it is the one that is used", async () => {
  const own = await aKubectl(await aRunner(), "kubectl", "echo 'no such context' >&2", "exit 1");
  await expect(open(Promise.resolve(own))).rejects.toThrow(/could not connect.*no such context/s);
});

describe.each([
  ["connects", [SERVING, NOT_ENDING]],
  ["hangs", [NOT_ENDING]],
  ["fails", ["exit 1"]],
])("a kubectl on PATH that %s", (_, script) => {
  test("has ended when another one connects in its place", async () => {
    const runner = await aRunner();
    const own = await aKubectl(runner, "kubectl", ...script);
    const other = await aKubectl(runner, "other", SERVING, NOT_ENDING);
    await open(
      expect
        .poll(own.starts)
        .toHaveLength(1)
        .then(() => other),
    );
    const [pid = 0] = await own.starts();
    expect(isRunning(pid)).toBe(false);
    expect(await other.starts()).toHaveLength(1);
  });

  test("has ended when there is no kubectl to use", async () => {
    const own = await aKubectl(await aRunner(), "kubectl", ...script);
    const failing = expect
      .poll(own.starts)
      .toHaveLength(1)
      .then(() => {
        throw new Error("kubectl could not be downloaded");
      });
    await expect(open(failing)).rejects.toThrow("kubectl could not be downloaded");
    const [pid = 0] = await own.starts();
    expect(isRunning(pid)).toBe(false);
  });
});

test("without a kubectl on PATH the one that was found connects", async () => {
  const other = await aKubectl(await aRunner(), "other", SERVING, NOT_ENDING);
  await open(Promise.resolve(other));
  expect(await other.starts()).toHaveLength(1);
});
