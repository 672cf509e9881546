import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AccessToken } from "../../src/gke/access-token.ts";
import { keepTokenFile } from "../../src/gke/token-file.ts";
import { temporaryDirectory } from "../support/google.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

function token(value: string, lifetime: number): AccessToken {
  return { value, expires: Date.now() + lifetime };
}

describe("renewal", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /**
   * A token service with tokens of this lifetime. It counts them from 1: the file begins with that one.
   */
  async function keep(lifetime: number, fails: (fetched: number) => boolean = () => false) {
    const directory = await temporaryDirectory();
    const path = join(directory, "token");
    const warnings: string[] = [];
    let fetched = 1;
    const fetchToken = async () => {
      fetched += 1;
      if (fails(fetched)) throw new Error("sts is down");
      return token(`token-${fetched}`, lifetime);
    };
    const file = keepTokenFile(path, token("token-1", lifetime), fetchToken, (message) =>
      warnings.push(message),
    );
    return { ...file, directory, path, warnings, content: () => readFileSync(path, "utf8") };
  }

  test.each([
    ["an hour", 60 * MINUTE],
    ["5 minutes", 5 * MINUTE],
    ["4 seconds", 4 * SECOND],
  ])("of a token that lives %s comes at half its life, again and again", async (_, lifetime) => {
    const kept = await keep(lifetime);
    expect(kept.content()).toBe("token-1");
    await vi.advanceTimersByTimeAsync(lifetime / 2 - 1);
    expect(kept.content()).toBe("token-1");
    await vi.advanceTimersByTimeAsync(1);
    expect(kept.content()).toBe("token-2");
    await vi.advanceTimersByTimeAsync(lifetime * 20);
    expect(kept.content()).toBe("token-42");
    expect(kept.warnings).toEqual([]);
    kept.stop();
  });

  test("that fails is a warning and is retried before the token expires", async () => {
    const kept = await keep(5 * MINUTE, (fetched) => fetched === 2);
    await vi.advanceTimersByTimeAsync(2.5 * MINUTE);
    expect(kept.content()).toBe("token-1");
    expect(kept.warnings).toEqual([expect.stringMatching(/could not be renewed.*sts is down/)]);
    await vi.advanceTimersByTimeAsync(1.25 * MINUTE);
    expect(kept.content()).toBe("token-3");
    kept.stop();
  });

  test("that keeps failing is retried every half minute until it succeeds", async () => {
    const kept = await keep(60 * MINUTE, (fetched) => fetched < 140);
    await vi.advanceTimersByTimeAsync(120 * MINUTE);
    const before = kept.warnings.length;
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(kept.warnings.length - before).toBe(2);
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(kept.content()).toBe("token-140");
    kept.stop();
  });

  test("comes soon after a machine was suspended, whose timers stood still", async () => {
    const kept = await keep(60 * MINUTE);
    vi.setSystemTime(Date.now() + 50 * MINUTE);
    await vi.advanceTimersByTimeAsync(15 * SECOND);
    expect(kept.content()).toBe("token-2");
    kept.stop();
  });

  test("that can't be written is a warning", async () => {
    const kept = await keep(MINUTE);
    rmSync(kept.directory, { recursive: true });
    await vi.advanceTimersByTimeAsync(30 * SECOND);
    expect(kept.warnings).toEqual([expect.stringContaining("ENOENT")]);
    kept.stop();
  });

  test("ends on stop", async () => {
    const kept = await keep(MINUTE);
    kept.stop();
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(kept.content()).toBe("token-1");
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a renewal in progress at stop writes nothing", async () => {
  const path = join(await temporaryDirectory(), "token");
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<AccessToken>();
  const fetchToken = () => {
    asked.resolve();
    return answer.promise;
  };
  const { stop } = keepTokenFile(path, token("first", 20), fetchToken, () => {});
  await asked.promise;
  stop();
  answer.resolve(token("second", MINUTE));
  await answer.promise;
  expect(readFileSync(path, "utf8")).toBe("first");
});

test("the file is private and replaced atomically", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, "token");
  const first = Promise.withResolvers<number>();
  const renewed = Promise.withResolvers<void>();
  let fetched = 0;
  const fetchToken = async () => {
    fetched += 1;
    if (fetched === 1) first.resolve(statSync(path).ino);
    if (fetched === 2) renewed.resolve();
    return token(`token-${fetched}`, 200);
  };
  const { stop } = keepTokenFile(path, token("token-0", 20), fetchToken, () => {});
  const before = await first.promise;
  await renewed.promise;
  stop();
  expect(readFileSync(path, "utf8")).toBe("token-1");
  expect(statSync(path).ino).not.toBe(before);
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  expect(readdirSync(directory)).toEqual(["token"]);
});

test("the renewal keeps no process alive", async () => {
  const path = join(await temporaryDirectory(), "token");
  const module = join(import.meta.dirname, "../../src/gke/token-file.ts");
  const script = `
    const { keepTokenFile } = await import(${JSON.stringify(module)});
    keepTokenFile(${JSON.stringify(path)}, { value: "a", expires: Date.now() + 3600000 }, () => {}, () => {});
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "inherit" });
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(readFileSync(path, "utf8")).toBe("a");
});
