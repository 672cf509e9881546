import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Something that only one process of this machine holds at a time. */
export interface Lock {
  /** Gives it to the next one that waits. */
  release(): Promise<void>;
}

/**
 * Takes the lock `name` if nobody holds it. It is a listening socket with an abstract name, which Linux takes
 * away from a process that dies in whatever way: there is never a stale lock.
 */
export async function tryLock(name: string): Promise<Lock | undefined> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket.unref());
    socket.on("error", () => {}).on("close", () => waiting.delete(socket));
  });
  server.listen(socketName(name));
  try {
    await once(server, "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
  server.unref();
  return {
    async release() {
      const closed = once(server, "close");
      server.close();
      for (const socket of waiting) socket.destroy();
      await closed;
    },
  };
}

/**
 * Takes the lock `name`, waiting for whoever holds it. `onWait` is called once if there is a wait.
 *
 * @throws the signal's reason when it ends the wait
 */
export async function lock(name: string, onWait?: () => void, signal?: AbortSignal): Promise<Lock> {
  for (let attempt = 0; ; attempt++) {
    const taken = await tryLock(name);
    if (taken) return taken;
    if (attempt === 0) onWait?.();
    await released(name, signal);
    signal?.throwIfAborted();
  }
}

async function released(name: string, signal: AbortSignal | undefined): Promise<void> {
  const socket = connect({ path: socketName(name), ...(signal && { signal }) }).resume();
  // Refused or reset: the holder has released it or is dead, which is what we wait for.
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
}

function socketName(name: string): string {
  return `\0milvus-local-gke/${name}`;
}
