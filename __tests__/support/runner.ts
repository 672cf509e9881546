import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { which } from "@actions/io";
import { onTestFinished, vi } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";

const execute = promisify(execFile);

/** What the runner's own tools are unpacked with. */
const UNPACKERS = ["tar", "gzip", "unzip"];

/** New folders for a test, as a workflow runner gives them to an action, and its PATH. */
export interface Runner {
  toolCache: string;
  /** The one folder on PATH. */
  bin: string;
  /** Puts an executable on PATH. */
  addToPath: (name: string, text: string) => Promise<string>;
}

/** Makes a runner without kubectl and helm and lets this process see its environment until the test ends. */
export async function aRunner(): Promise<Runner> {
  const home = await aFolder();
  const bin = join(home, "bin");
  const toolCache = join(home, "tool cache");
  await Promise.all([mkdir(bin), mkdir(toolCache), mkdir(join(home, "temp"))]);
  for (const name of UNPACKERS) await symlink(await which(name, true), join(bin, name));
  const variables = { PATH: bin, RUNNER_TOOL_CACHE: toolCache, RUNNER_TEMP: join(home, "temp") };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  return {
    toolCache,
    bin,
    addToPath: async (name, text) => {
      const path = join(bin, name);
      await writeFile(path, text);
      await chmod(path, 0o755);
      return path;
    },
  };
}

/** Makes an empty folder that is removed when the test ends. */
export async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tools-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A body, or what to do with the n-th request for it, counted from 1. */
export type Route = string | Buffer | ((response: ServerResponse, count: number) => void);

/** A download host on loopback. */
export interface Mirror {
  url: string;
  /** The path of every request so far. */
  requests: string[];
  routes: Record<string, Route>;
}

/** Starts a host that answers 404 to all but the given paths, and ends it when the test ends. */
export async function aMirror(routes: Record<string, Route>): Promise<Mirror> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const route = routes[path];
    if (typeof route === "function") route(response, requests.filter((each) => each === path).length);
    else if (route === undefined) response.writeHead(404).end("no such file");
    else response.end(route);
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, requests, routes };
}

/** Returns an archive that holds one executable. */
export async function archiveOf(
  kind: "tar.gz" | "zip",
  member: string,
  content: string | Buffer,
): Promise<Buffer> {
  const folder = await aFolder();
  await mkdir(join(folder, dirname(member)), { recursive: true });
  await writeFile(join(folder, member), content, { mode: 0o755 });
  const file = join(folder, "archive");
  const [program, args] =
    kind === "zip" ? ["zip", ["-q", "-r", file, member]] : ["tar", ["-cf", file, "-C", folder, member]];
  await execute(program, args, { cwd: folder, env: { PATH: "/usr/local/bin:/usr/bin:/bin" } });
  // To compress a real Helm as well as tar does takes seconds.
  return kind === "zip" ? readFile(`${file}.zip`) : promisify(gzip)(await readFile(file), { level: 1 });
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Returns a program that prints the same whatever it is asked. */
export function scriptPrinting(text: string): string {
  return `#!/bin/sh\necho '${text}'\n`;
}
