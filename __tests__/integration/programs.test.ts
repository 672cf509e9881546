import { copyFile, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { which } from "@actions/io";
import { beforeAll, describe, expect, test } from "vitest";
import { goModule, javaClassPath } from "../../local-gke/languages/prepare-clients.ts";
import { milvusPython } from "../../local-gke/milvus/python.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { type Output, run } from "../../src/base/process.ts";
import { hostOf, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

const NAMESPACE = "programs";
const host = hostOf(NAMESPACE);

/** A language of the job's page, and how a user runs the program that stands there. */
interface Language {
  /** The language of its code block. */
  name: string;
  file: string;
  /** The program that a machine needs beside those of every test. */
  needs: string | undefined;
  /** Returns the command that runs the file in a folder, which it may prepare. */
  command(folder: string): Promise<string[]>;
}

const LANGUAGES: Language[] = [
  {
    name: "python",
    file: "program.py",
    needs: undefined,
    command: async () => [await milvusPython(), "program.py"],
  },
  {
    name: "javascript",
    file: "program.mjs",
    needs: undefined,
    command: async (folder) => {
      await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
      return [process.execPath, "program.mjs"];
    },
  },
  {
    name: "go",
    file: "main.go",
    needs: "go",
    command: async (folder) => {
      const made = await goModule();
      for (const file of ["go.mod", "go.sum"]) await copyFile(join(made, file), join(folder, file));
      return ["go", "run", "."];
    },
  },
  {
    name: "java",
    file: "Connect.java",
    needs: "mvn",
    command: async () => ["java", "-cp", await javaClassPath(), "Connect.java"],
  },
];

/** A program that runs for a second is done before it would be worth compiling it well. */
const SHORT_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/** A machine without the language may do without its test, CI may not. */
const available = await Promise.all(
  LANGUAGES.map(async ({ needs }) => !needs || process.env.CI === "true" || (await which(needs)) !== ""),
);
const languages = LANGUAGES.filter((_, index) => available[index]);
const canMount =
  (await run({ name: "unshare", path: "unshare" }, ["--map-root-user", "--mount", "true"])).exitCode === 0;

const cluster = useCluster(() => ({ host }));
let first: StepResult;
beforeAll(async () => {
  await cluster.installSmall(NAMESPACE);
  first = await cluster.deploy(NAMESPACE);
});

/** Returns the first code block of a language that has `text` in it. */
function block(summary: string, language: string, text = ""): string {
  const blocks = [...summary.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, "gms"))];
  return blocks.map(([, code = ""]) => code).find((code) => code.includes(text)) ?? "";
}

/**
 * Runs the program of a job's page as it stands there.
 *
 * @param wrap what the command is handed to
 */
async function runProgram(
  summary: string,
  { name, file, command }: Language,
  wrap: string[] = [],
  env: Record<string, string> = {},
): Promise<Output> {
  const folder = await mkdtemp(join(cluster.gke.directory, `${name}-`));
  await writeFile(join(folder, file), `${block(summary, name)}\n`);
  const authority = block(summary, "text", "BEGIN CERTIFICATE");
  if (authority) await writeFile(join(folder, "milvus-ca.pem"), `${authority}\n`);
  const variables = { MILVUS_TOKEN: "root:Milvus", NODE_ENV: "", JAVA_TOOL_OPTIONS: SHORT_JAVA, ...env };
  const shell = { name, path: "/bin/sh", env: variables };
  const go = ["-c", 'cd "$0" && exec "$@"', folder, ...wrap, ...(await command(folder))];
  return run(shell, go);
}

test.concurrent.each(languages)("the program in $name reaches Milvus by its address", async (language) => {
  const { exitCode, stdout, stderr } = await runProgram(first.summary, language);
  expect(exitCode, stderr).toBe(0);
  expect(stdout.trim()).toBe(first.outputs.milvus_version);
});

test.skipIf(!languages.some(({ name }) => name === "go"))(
  "the program in Go is formatted as Go wants",
  async () => {
    const input = `${block(first.summary, "go")}\n`;
    const { stdout } = await run({ name: "gofmt", path: "gofmt" }, [], { input });
    expect(stdout).toBe(input);
  },
);

describe.skipIf(!canMount)("once DNS leads the host's name to the load balancer", () => {
  /** Hands a command to a machine on which the name is known. */
  let onMachine: string[] = [];
  let byName: StepResult;
  beforeAll(async () => {
    const { address = "" } = first.outputs;
    await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address] });
    const folder = await mkdtemp(join(cluster.gke.directory, "machine-"));
    await writeFile(join(folder, "hosts"), `127.0.0.1 localhost\n${address} ${host}\n`);
    const mount = `mount --bind '${folder}/hosts' /etc/hosts && exec "$@"`;
    onMachine = ["unshare", "--map-root-user", "--mount", "/bin/sh", "-c", mount, "sh"];
    byName = await cluster.deploy(NAMESPACE);
  });

  test.concurrent.each(languages)("the program in $name needs only the name", async (language) => {
    expect(block(byName.summary, language.name)).toContain(`https://${host}:443`);
    const { exitCode, stdout, stderr } = await runProgram(byName.summary, language, onMachine);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.trim()).toBe(first.outputs.milvus_version);
  });

  describe("with a certificate of a public authority", () => {
    let managed: StepResult;
    const env: Record<string, string> = {};
    beforeAll(async () => {
      managed = await cluster.deploy(NAMESPACE, { certificate: "google-managed" });
      const authority = cluster.gke.env.NODE_EXTRA_CA_CERTS ?? "";
      for (const name of ["SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]) {
        env[name] = authority;
      }
      if (languages.some(({ name }) => name === "java")) {
        const store = join(cluster.gke.directory, "authorities.p12");
        const access = ["-keystore", store, "-storepass", "changeit"];
        const keytool = ["-importcert", "-noprompt", "-alias", "public", "-file", authority, ...access];
        await run({ name: "keytool", path: "keytool" }, keytool);
        const trust = `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStorePassword=changeit`;
        env.JAVA_TOOL_OPTIONS = `${SHORT_JAVA} ${trust}`;
      }
    });

    test.concurrent.each(languages)("the program in $name needs no file", async (language) => {
      expect(managed.summary).not.toContain("BEGIN CERTIFICATE");
      const { exitCode, stdout, stderr } = await runProgram(managed.summary, language, onMachine, env);
      expect(exitCode, stderr).toBe(0);
      expect(stdout.trim()).toBe(first.outputs.milvus_version);
    });
  });
});
