import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { milvusPython } from "./python.ts";

/** A Milvus that serves gRPC without TLS and without authentication. */
export interface Milvus {
  /** Its port on 127.0.0.1. */
  port: number;
  /** A Python with PyMilvus, for clients. */
  python: string;
  /** Ends it; its data is gone with it. */
  stop(): Promise<void>;
}

/** How long it may take to end by itself. */
const STOP_LIMIT_MS = 5000;

/**
 * Starts milvus-lite on a free port with an empty data directory of its own, and resolves when it answers: after
 * some seconds. It ends with this process, however that ends.
 *
 * @param progress is handed a line when something slow goes on, and when milvus-lite ends unasked
 * @throws Error with what it printed when it does not start
 */
export async function startMilvus(progress: (line: string) => void = console.error): Promise<Milvus> {
  const python = await milvusPython(progress);
  const child = spawn(python, [join(import.meta.dirname, "serve.py")], { stdio: ["pipe", "pipe", "pipe"] });
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed = (printed + text).slice(-4000);
  });
  // One that has ended already has no use for its input.
  child.stdin.on("error", () => {});
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(`${signal ?? `exit code ${code}`}\n${printed}`));
  });

  const firstLine = once(createInterface({ input: child.stdout }), "line");
  const failed = exited.then((reason) => {
    throw new Error(`milvus-lite (${python}) did not start: ${reason}`);
  });
  const [line] = await Promise.race([firstLine, failed]);
  failed.catch(() => {});

  let stopping = false;
  exited.then((reason) => {
    if (!stopping) progress(`milvus-lite has ended: ${reason}`);
  });
  return {
    port: Number(line),
    python,
    async stop() {
      stopping = true;
      child.stdin.end();
      const impatience = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await exited;
      clearTimeout(impatience);
    },
  };
}
