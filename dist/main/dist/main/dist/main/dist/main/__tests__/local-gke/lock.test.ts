import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test, vi } from "vitest";
import { lock, tryLock } from "../../local-gke/binaries/lock.ts";

test("a lock has one holder at a time and passes to the next on release", async () => {
  const name = randomUUID();
  const first = await tryLock(name);
  expect(first).toBeDefined();
  expect(await tryLock(name)).toBeUndefined();

  const onWait = vi.fn();
  let got = false;
  const second = lock(name, onWait).then((held) => {
    got = true;
    return held;
  });
  await vi.waitFor(() => expect(onWait).toHaveBeenCalledTimes(1), 100_000);
  expect(got).toBe(false);
  await first?.release();
  await (await second).release();
  expect(got).toBe(true);
});

test("a lock is released if its process is killed", async () => {
  const name = randomUUID();
  const script = `
    import { tryLock } from ${JSON.stringify(join(import.meta.dirname, "../../local-gke/binaries/lock.ts"))};
    await tryLock(${JSON.stringify(name)});
    console.log("held");
    setInterval(() => {}, 1000);
  `;
  const holder = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(createInterface({ input: holder.stdout }), "line");
  expect(await tryLock(name)).toBeUndefined();
  const waiting = lock(name);
  holder.kill("SIGKILL");
  await (await waiting).release();
});

test("a wait for a lock ends with its signal", async () => {
  const name = randomUUID();
  const held = await tryLock(name);
  const interrupted = new AbortController();
  const waiting = lock(name, () => interrupted.abort(new Error("interrupted")), interrupted.signal);
  await expect(waiting).rejects.toThrow("interrupted");
  await held?.release();
});
