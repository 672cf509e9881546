import { createHash } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, run } from "../../src/base/process.ts";
import { keep } from "../cache.ts";
import { type Say, sayOnStderr, timed } from "../say.ts";

const GO = join(import.meta.dirname, "go");
const POM = join(import.meta.dirname, "java/pom.xml");

/** A program that only has what Milvus's client needs compiled. */
const GO_PROGRAM = `package main

import _ "github.com/milvus-io/milvus/client/v2/milvusclient"

func main() {}
`;

/**
 * Returns a folder with a Go module that has Milvus's client. The first call compiles the client, which takes
 * minutes; Go keeps what it has compiled in a cache of its own.
 *
 * @throws Error if Go or a module is not available
 */
export async function goModule(say: Say = sayOnStderr): Promise<string> {
  const folder = await keptFor("client-go", join(GO, "go.sum"), (made) =>
    timed("Milvus's client for Go: compiling (some minutes, once)", say, async () => {
      for (const file of ["go.mod", "go.sum"]) await copyFile(join(GO, file), join(made, file));
      await writeFile(join(made, "main.go"), GO_PROGRAM);
      await succeed({ name: "go", path: "go", leadingArgs: ["-C", made] }, ["build", "-o", "/dev/null", "."]);
    }),
  );
  return folder;
}

/**
 * Returns the class path of Milvus's client for Java. The first call fetches it.
 *
 * @throws Error if Maven or a package is not available
 */
export async function javaClassPath(say: Say = sayOnStderr): Promise<string> {
  const folder = await keptFor("client-java", POM, (made) =>
    timed("Milvus's client for Java: fetching (once)", say, async () => {
      const copy = ["dependency:copy-dependencies", `-DoutputDirectory=${made}`];
      await succeed({ name: "mvn", path: "mvn" }, ["--quiet", "--batch-mode", "--file", POM, ...copy]);
    }),
  );
  return join(folder, "*");
}

/** Returns a folder of the cache that is made once for each content of `source`. */
async function keptFor(name: string, source: string, make: (folder: string) => Promise<void>) {
  const hash = createHash("sha256").update(await readFile(source));
  return keep(`${name}-${hash.digest("hex").slice(0, 12)}`, "", make);
}

async function succeed(program: Program, args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(program, args);
  if (exitCode !== 0) throw new Error(`${program.name} ${args.join(" ")}: ${(stderr || stdout).trim()}`);
}
