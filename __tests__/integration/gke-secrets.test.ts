import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { processesOf } from "../../local-gke/control-plane/processes.ts";
import { credentialFilesIn } from "../../local-gke/google/identities.ts";
import { useCluster } from "./support/cluster.ts";
import type { Inputs, Job, StepResult } from "./support/job.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";
import { filesBelow } from "./support/traces.ts";

const HOUR_MS = 3_600_000;
const MILVUS_TOKEN = "root:Milvus";
const REQUEST_TOKEN = "request-token-of-this-job";

const cluster = useCluster();

/** Folder of programs that write down their arguments, one a line, and then are the real ones. */
async function tellingTools(argumentsFile: string): Promise<string> {
  const directory = await mkdtemp(join(cluster.gke.directory, "tools-"));
  for (const [name, path] of [
    ["kubectl", cluster.tools.kubectl],
    ["helm", cluster.tools.helm4],
  ] as const) {
    const script = `#!/bin/sh\nprintf '%s\\n' "$@" >>'${argumentsFile}'\nexec '${path}' "$@"\n`;
    await writeFile(join(directory, name), script);
    await chmod(join(directory, name), 0o755);
  }
  return directory;
}

/** The lines of a private key that are the key: all but its armour. */
function keyLines(pem: string): string[] {
  return pem.split("\n").filter((line) => line.length > 40);
}

function maskedTokens({ lines }: StepResult): string[] {
  return lines.flatMap((line) => /^::add-mask::(ya29\..+)$/.exec(line)?.[1] ?? []);
}

/** Starts a job in a namespace of its own and holds it where it waits for the address. */
async function waitingJob(namespace: string, environment: Record<string, string>, inputs: Inputs = {}) {
  await cluster.installSmall(namespace);
  await cluster.setTime("addressDelayMs", HOUR_MS);
  const argumentsFile = join(await mkdtemp(join(cluster.gke.directory, "arguments-")), "arguments");
  const tools = await tellingTools(argumentsFile);
  const job = await cluster.job({ environment: { PATH: `${tools}:/bin:/usr/bin`, ...environment } });
  const step = job.start(cluster.inputs(namespace, inputs));
  await step.line(/^::group::Wait for the address/);
  return { job, step, argumentsFile };
}

/** The job's own folder under RUNNER_TEMP. */
async function privateFolder(job: Job): Promise<string> {
  const [name = ""] = (await readdir(job.temp)).filter((each) => each.startsWith("milvus-gke-"));
  return join(job.temp, name);
}

async function expectNowhere(secrets: string[], job: Job, steps: StepResult[], argumentsFile: string) {
  const shown = steps.flatMap(({ lines }) => lines.filter((line) => !line.startsWith("::add-mask::")));
  const places: [string, string][] = [
    ["the log", shown.join("\n")],
    ["a command line", await readFile(argumentsFile, "utf8")],
  ];
  // Outputs, state and summary are files of the job's folder too.
  for (const file of filesBelow(job.directory)) places.push([file, await readFile(file, "latin1")]);
  const found = places.flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${secret.slice(0, 20)}… in ${place}`),
  );
  expect(found).toEqual([]);
}

test("no secret of a service account key's job is left anywhere", async () => {
  const credentials = await readFile(credentialFilesIn(cluster.gke.directory).serviceAccountKey, "utf8");
  const withoutFiles = Object.fromEntries(
    ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"].map(
      (name) => [name, ""],
    ),
  );
  const { job, step, argumentsFile } = await waitingJob("key", withoutFiles, {
    credentials_json: credentials,
    milvus_token: MILVUS_TOKEN,
  });

  const folder = await privateFolder(job);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  for (const name of ["kubeconfig", "token"]) {
    expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600);
  }
  const token = await readFile(join(folder, "token"), "utf8");
  const running = processesOf(job.directory).map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  expect(running.length).toBeGreaterThan(1);

  await cluster.setTime("addressDelayMs", 0);
  const main = expectSuccess(await step.ended);
  const post = await job.post();
  expect(post.exitCode).toBe(0);

  const secret = await cluster.get("key", "Secret", "my-release-milvus-tls");
  const tlsKey = Buffer.from(secret.data?.["tls.key"] ?? "", "base64").toString();
  const secrets = [
    ...maskedTokens(main),
    ...keyLines(JSON.parse(credentials).private_key),
    ...keyLines(tlsKey),
    MILVUS_TOKEN,
  ];
  expect(maskedTokens(main)).toContain(token);
  expect(keyLines(tlsKey).length).toBeGreaterThan(0);
  expect(main.lines).toContain(`::add-mask::${MILVUS_TOKEN}`);
  for (const each of secrets) expect(running.join("\n")).not.toContain(each);
  await expectNowhere(secrets, job, [main, post], argumentsFile);
  expect(existsSync(folder)).toBe(false);
});

test("no secret of a federated job that was cancelled is left anywhere", async () => {
  const { job, step, argumentsFile } = await waitingJob("cancelled", {});
  const folder = await privateFolder(job);
  step.kill("SIGINT");
  const main = await step.ended;
  expect(main.exitCode).toBe(1);
  const post = await job.post();

  const tokens = maskedTokens(main);
  expect(tokens.length).toBeGreaterThan(0);
  await expectNowhere([...tokens, REQUEST_TOKEN], job, [main, post], argumentsFile);
  expect(existsSync(folder)).toBe(false);
  expect(await readdir(job.temp)).toEqual([]);
});

test("no secret of a job that was refused is left anywhere", async () => {
  await cluster.withFault("refuse-clusters-get", async () => {
    const argumentsFile = join(await mkdtemp(join(cluster.gke.directory, "arguments-")), "arguments");
    await writeFile(argumentsFile, "");
    const tools = await tellingTools(argumentsFile);
    const job = await cluster.job({ environment: { PATH: `${tools}:/bin:/usr/bin` } });
    await mkdir(join(job.temp, "of another action"));
    const main = expectFailure(await job.main(cluster.inputs("default")));
    expect(main.error).toContain("may not read the cluster my-cluster");
    const post = await job.post();
    expect(maskedTokens(main)).not.toEqual([]);
    await expectNowhere([...maskedTokens(main), REQUEST_TOKEN], job, [main, post], argumentsFile);
    expect(await readdir(job.temp)).toEqual(["of another action"]);
  });
});
