import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { readTextFile, readWhole } from "../../src/base/file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "files-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);

describe("readTextFile", () => {
  test("reads a file, through links too, and one that the kernel makes up", () => {
    writeFileSync(at("text"), "a: ü\n".repeat(50_000));
    symlinkSync("text", at("link"));
    expect(readTextFile(at("link"))).toBe("a: ü\n".repeat(50_000));
    expect(readTextFile("/proc/self/status")).toContain("Pid:");
  });

  test.each<[string, () => string, string | RegExp]>([
    ["a device without an end", () => "/dev/zero", "it is a device, not a file"],
    ["a folder", () => folder, "it is a folder, not a file"],
    [
      "a pipe that nobody writes to",
      () => {
        execFileSync("mkfifo", [at("pipe")]);
        return at("pipe");
      },
      "it is a named pipe, not a file",
    ],
    [
      "a link to itself",
      () => {
        symlinkSync("circle", at("circle"));
        return at("circle");
      },
      "it is a link that leads back to itself",
    ],
    [
      "a gigabyte",
      () => {
        writeFileSync(at("huge"), "");
        truncateSync(at("huge"), 1024 ** 3);
        return at("huge");
      },
      "it has 1024 MiB; at most 16 MiB are read",
    ],
    [
      "another encoding",
      () => {
        writeFileSync(at("latin1"), Buffer.from("ü", "latin1"));
        return at("latin1");
      },
      "it is not UTF-8",
    ],
    ["nothing", () => at("nothing"), /^ENOENT: no such file or directory/],
    [
      "a file below a file",
      () => {
        writeFileSync(at("plain"), "");
        return at("plain/below");
      },
      /^ENOTDIR/,
    ],
  ])("refuses %s at once", (_, make, expected) => {
    expect(() => readTextFile(make())).toThrow(expected);
  });

  test("refuses a socket", async () => {
    const server = createServer().listen(at("socket"));
    onTestFinished(() => {
      server.close();
    });
    await new Promise((resolve) => server.once("listening", resolve));
    expect(() => readTextFile(at("socket"))).toThrow("it is a socket, not a file");
  });
});

describe("readWhole", () => {
  /** Reads one chunk after the other. */
  const reader =
    (...chunks: string[]) =>
    (chunk: Uint8Array) =>
      new TextEncoder().encodeInto(chunks.shift() ?? "", chunk).written;

  test("reads what comes in pieces, of a known size or not", () => {
    expect(readWhole(5, reader("ab", "cde")).toString()).toBe("abcde");
    expect(readWhole(0, reader("ab", "cde")).toString()).toBe("abcde");
  });

  test.each([
    ["has grown", 4, "it changed while it was read (4 bytes became 5)"],
    ["has shrunk", 9, "it changed while it was read (9 bytes became 5)"],
  ])("refuses what %s", (_, size, expected) => {
    expect(() => readWhole(size, reader("ab", "cde"))).toThrow(expected);
  });

  test("gives up what grows as fast as it is read", () => {
    expect(() => readWhole(1, (chunk) => chunk.length)).toThrow("it has no end; at most 16 MiB are read");
  });
});
