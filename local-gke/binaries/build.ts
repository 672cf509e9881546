import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { type Program, run } from "../../src/base/process.ts";
import { type Say, showing } from "../say.ts";
import { ARCHITECTURE, labelOf, type Pin } from "./pins.ts";
import { bar, progressText } from "./progress.ts";

/** Sets what a user's own `go env` could change: the same build then finds the same entries in Go's cache. */
const GO: Program = {
  name: "go",
  path: "go",
  env: {
    CGO_ENABLED: "0",
    GO111MODULE: "on",
    GOARCH: ARCHITECTURE,
    GOFLAGS: "-mod=readonly",
    GOOS: "linux",
    GOWORK: "off",
    // The compiler takes more memory and less time than with Go's default.
    GOGC: "400",
  },
  leadingArgs: ["-C", join(import.meta.dirname, "go")],
};
/**
 * Lists packages that the compiler has to build. A main package can be in the cache without its executable.
 */
const STALE =
  '{{if and .Stale (ne .StaleReason "not installed but available in build cache")}}{{.ImportPath}}{{end}}';
const ERROR_LINES = 15;

/** A program to build, and the new folder to put it into. */
export interface Order {
  pin: Pin;
  folder: string;
}

/**
 * Builds programs from the Go module beside this file with one command, so that what
 * they share is compiled once.
 *
 * @throws Error with the compiler's last lines
 */
export async function build(orders: readonly Order[], say: Say, signal?: AbortSignal): Promise<void> {
  for (const round of roundsOf(orders)) {
    const [{ folder: first } = { folder: "" }] = round;
    const output = `${first}.built/`;
    await mkdir(output);
    await goBuild(
      round.map(({ pin }) => pin),
      output,
      say,
      signal,
    );
    for (const { pin, folder } of round) {
      await mkdir(folder);
      await rename(join(output, builtNameOf(pin)), join(folder, pin.program));
    }
  }
}

/** Go puts all executables into one folder, and Helm 3 and Helm 4 have the same name. */
function roundsOf(orders: readonly Order[]): Order[][] {
  const rounds: Order[][] = [];
  for (const order of orders) {
    const name = builtNameOf(order.pin);
    const free = rounds.find((round) => round.every(({ pin }) => builtNameOf(pin) !== name));
    if (free) free.push(order);
    else rounds.push([order]);
  }
  return rounds;
}

/** Go names an executable after the last part of its package's path that is not a major version. */
function builtNameOf({ package: path, program }: Pin): string {
  const [, name] = /([^/]+)(?:\/v\d+)?$/.exec(path) ?? [];
  return name ?? program;
}

async function goBuild(
  pins: readonly Pin[],
  output: string,
  say: Say,
  signal: AbortSignal | undefined,
): Promise<void> {
  const start = performance.now();
  const secondsSince = (begin: number) => `${Math.round((performance.now() - begin) / 1000)} s`;
  const packages = pins.map((pin) => pin.package);
  say(`Building from source: ${pins.map((pin) => labelOf(pin)).join(", ")}`);

  let fetched = 0;
  const toCompile = await showing(
    () => `Fetching Go modules: ${fetched} so far (${secondsSince(start)})`,
    say,
    async () => {
      const onErrorLine = (line: string) => {
        if (line.startsWith("go: downloading ")) fetched += 1;
      };
      const stdout = await go(
        ["list", "-deps", "-f", STALE, ...flagsFor(pins), ...packages],
        onErrorLine,
        signal,
      );
      return new Set(stdout.split("\n").filter((line) => line !== ""));
    },
  );

  const begun = new Set<string>();
  const buildStart = performance.now();
  const progress = () => {
    const elapsedMs = performance.now() - buildStart;
    const state = { begun: begun.size, total: toCompile.size, elapsedMs };
    return `${say.status ? bar(state) : "Building:"} ${progressText(state)}`;
  };
  await showing(progress, say, async () => {
    const onErrorLine = (line: string) => {
      if (toCompile.has(line)) begun.add(line);
    };
    await go(["build", "-v", "-o", output, ...flagsFor(pins), ...packages], onErrorLine, signal);
  });
  say(`Building from source: done in ${secondsSince(start)}`);
}

function flagsFor(pins: readonly Pin[]): string[] {
  const linkerFlags = pins.map((pin) => `-ldflags=${pin.package}=-s -w ${pin.ldflags ?? ""}`.trimEnd());
  // The linker strips the debug information: the compiler need not make it.
  return ["-trimpath", "-gcflags=all=-dwarf=false", ...linkerFlags];
}

async function go(
  args: string[],
  onErrorLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { exitCode, stdout, stderr } = await run(GO, args, { onErrorLine, signal });
  signal?.throwIfAborted();
  if (exitCode === 0) return stdout;
  throw new Error(`go ${args[0]} ended with exit code ${exitCode}:\n${errorsIn(stderr)}`);
}

/** Returns the last lines without those that name a package or a module on its way. */
function errorsIn(stderr: string): string {
  const lines = stderr
    .split("\n")
    .filter((line) => line.includes(" ") && !line.startsWith("go: downloading "));
  return lines.slice(-ERROR_LINES).join("\n");
}
