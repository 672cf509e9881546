import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { milvusPython } from "./python.ts";

/** A Milvus server without TLS and authentication. */
export interface Milvus {
  /** The gRPC port on 127.0.0.1. */
  port: number;
  /** Path of a Python with PyMilvus, for clients. */
  python: string;
  /** Stops the server and deletes its data. */
  stop(): Promise<void>;
}

/** The server is killed if it runs longer than this after a stop. */
const STOP_LIMIT_MS = 5000;

/**
 * Starts milvus-lite on a free port with a new data directory, and waits some seconds until it responds. It
 * ends with this process, even if this process is killed.
 *
 * @param progress logs the progress and an unexpected end of milvus-lite
 * @throws Error with the output of milvus-lite if it does not start
 */
export async function startMilvus(progress: (line: string) => void = console.error): Promise<Milvus> {
  const python = await milvusPython(progress);
  const child = spawn(python, [join(import.meta.dirname, "serve.py")], { stdio: ["pipe", "pipe", "pipe"] });
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed = (printed + text).slice(-4000);
  });
  // Writing to an ended process fails, which is harmless.
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
      const killTimer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await exited;
      clearTimeout(killTimer);
    },
  };
}
