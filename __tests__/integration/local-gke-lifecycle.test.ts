import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test, vi } from "vitest";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import { down, type LocalGke, list, status, up } from "../../local-gke/cluster.ts";
import { PROGRAMS } from "../../local-gke/control-plane/programs.ts";
import { milvusPython } from "../../local-gke/milvus/python.ts";
import { run } from "../../src/base/process.ts";

const PROJECT = join(import.meta.dirname, "../..");
const names = new Set<string>();

function newName(): string {
  const name = `lifecycle-${process.pid}-${names.size}`;
  names.add(name);
  return name;
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([...names].map(down));
  names.clear();
});

async function expectNothingLeft(name: string): Promise<void> {
  const { processes, directory } = await status(name);
  expect(processes).toEqual([]);
  expect(existsSync(directory)).toBe(false);
}

async function kubectl(gke: LocalGke, ...args: string[]): Promise<string> {
  const { kubectl: path } = await binaries(["kubectl"]);
  const { stdout, stderr, exitCode } = await run({ name: "kubectl", path, env: gke.env }, args);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

describe("a local GKE", () => {
  test("runs beside another one, keeps its name to itself, survives interruptions, and says what has ended it", async () => {
    const [one, two] = [newName(), newName()];
    const [first, second] = await Promise.all([up({ name: one }), up({ name: two, owner: "none" })]);

    await kubectl(first, "create", "configmap", "mine");
    expect(await kubectl(first, "get", "configmaps", "--output=name")).toContain("configmap/mine");
    expect(await kubectl(second, "get", "configmaps", "--output=name")).not.toContain("configmap/mine");
    expect(await kubectl(second, "get", "nodes", "--no-headers")).toMatch(/ Ready /);
    const addresses = await Promise.all(
      [first, second].map(async ({ control }) => {
        const response = await fetch(`${control}/static-addresses/mine`, { method: "PUT" });
        return response.json();
      }),
    );
    expect(addresses[0]).not.toEqual(addresses[1]);

    await expect(up({ name: one })).rejects.toThrow(`A local GKE named ${one} is already running`);
    expect(await kubectl(first, "get", "--raw", "/readyz")).toBe("ok");
    await first.down();
    await expectNothingLeft(one);
    expect(await kubectl(second, "get", "--raw", "/readyz")).toBe("ok");

    for (const server of ["kube-apiserver", "etcd"]) {
      const response = await fetch(`${second.control}/interruptions/${server}`, {
        method: "PUT",
        body: "200",
      });
      expect(response.status).toBe(200);
      await expect.poll(() => kubectl(second, "get", "--raw", "/readyz").catch(String)).toBe("ok");
      const service = `after-${server}`;
      await kubectl(second, "create", "service", "loadbalancer", service, "--tcp=80");
      const address = ["get", "service", service, "--output=jsonpath={.status.loadBalancer.ingress[0].ip}"];
      await expect.poll(() => kubectl(second, ...address)).toMatch(/^127\./);
    }

    const { processes } = await status(two);
    const etcd = processes[await indexOfProgram(processes, "etcd")];
    process.kill(etcd ?? 0, "SIGKILL");
    await vi.waitFor(async () => expect((await status(two)).processes).toEqual([]), { timeout: 100_000 });
    expect((await status(two)).state?.failure).toContain("etcd of this local GKE ended by SIGKILL");
    expect((await list()).map((each) => each.name)).toContain(two);
  });

  test("ends with its owner, even when that is killed", async () => {
    const name = newName();
    const script = `
      import { up } from ${JSON.stringify(join(PROJECT, "local-gke/cluster.ts"))};
      await up({ name: ${JSON.stringify(name)} });
      console.log("ready");
      setInterval(() => {}, 1000);
    `;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(createInterface({ input: owner.stdout }), "line");
    expect((await status(name)).processes.length).toBeGreaterThan(5);
    owner.kill("SIGKILL");
    await vi.waitFor(() => expectNothingLeft(name), { timeout: 100_000 });
  });

  test("is ended by name when its supervisor was killed", async () => {
    const name = newName();
    const gke = await up({ name, owner: "none" });
    const { processes } = await status(name);
    const parents = await parentsOf(processes);
    const supervisor = processes.find((pid) => !processes.includes(parents.get(pid) ?? 0));
    process.kill(supervisor ?? 0, "SIGKILL");
    await gke.down();
    await expectNothingLeft(name);
  });
});

describe("a start that fails", () => {
  test("names the program that ended, with its last words, and leaves nothing", async () => {
    const cache = await cacheWith("kube-scheduler", "#!/bin/sh\necho unknown flag: --nonsense >&2\nexit 3\n");
    vi.stubEnv("XDG_CACHE_HOME", cache);
    const name = newName();
    const failure = up({ name });
    await expect(failure).rejects.toThrow(/kube-scheduler of this local GKE ended with exit code 3/);
    await expect(failure).rejects.toThrow(/unknown flag: --nonsense/);
    await expectNothingLeft(name);
    await rm(cache, { recursive: true });
  });

  test("by SIGINT in the middle leaves nothing", async () => {
    const name = newName();
    const cli = spawn(process.execPath, ["local-gke/cli.ts", "up", "--no-release", "--name", name], {
      cwd: PROJECT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    cli.stdout.on("data", (chunk) => {
      printed += chunk;
    });
    let said = "";
    cli.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const exited = once(cli, "exit");
    await vi.waitFor(async () => expect((await status(name)).processes.length).toBeGreaterThan(3), {
      timeout: 100_000,
      interval: 20,
    });
    cli.kill("SIGINT");
    expect(await exited).toEqual([1, null]);
    expect(printed).toBe("");
    expect(said).toContain("Interrupted (SIGINT)");
    await expectNothingLeft(name);
  });
});

/**
 * Makes a cache of binaries that is the real one but for one program, and returns
 * what XDG_CACHE_HOME must be.
 */
async function cacheWith(program: (typeof PROGRAMS)[number], script: string): Promise<string> {
  const real = await binaries(PROGRAMS);
  const home = await mkdtemp(join(tmpdir(), "cache-"));
  const python = dirname(dirname(await milvusPython()));
  await mkdir(join(home, basename(dirname(python))));
  await symlink(python, join(home, ...python.split("/").slice(-2)));
  for (const name of PROGRAMS) {
    const folder = join(home, ...dirname(real[name]).split("/").slice(-2));
    await mkdir(dirname(folder), { recursive: true });
    if (name !== program) {
      await symlink(dirname(real[name]), folder);
      continue;
    }
    await mkdir(folder);
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  }
  return home;
}

async function parentsOf(pids: number[]): Promise<Map<number, number>> {
  const { stdout } = await ps("pid=,ppid=", pids);
  return new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => {
        const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
        return [pid, parent];
      }),
  );
}

async function indexOfProgram(pids: number[], program: string): Promise<number> {
  const { stdout } = await ps("pid=,comm=", pids);
  const line = stdout.split("\n").find((each) => each.trim().endsWith(` ${program}`));
  return pids.indexOf(Number(line?.trim().split(/\s+/)[0]));
}

function ps(columns: string, pids: number[]) {
  return run({ name: "ps", path: "ps" }, ["-o", columns, "-p", pids.join(",")]);
}
