import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { PROJECT } from "../../local-gke/run-action.ts";
import { type Output, run } from "../../src/base/process.ts";
import { CHART, useCluster } from "./support/cluster.ts";

/** Commands that pages show and that don't run here, and why. */
const NOT_RUN: readonly [command: RegExp, why: string][] = [
  [/^git clone /, "the test is in a checkout already"],
  [/^npm ci$/, "the test runs in what it has installed"],
  [
    /^terraform /,
    "its provider asks Google; __tests__/setup/terraform.test.ts compares it with bootstrap.sh",
  ],
];

/** They answer what the pages are about; the local GKE has no gcloud, GitHub or jq. */
const STAND_INS = {
  gcloud: 'case "$*" in "projects describe"*) echo 987654321 ;; esac',
  gh: 'echo "456 123"',
  jq: `exec node -e 'process.stdin.toArray().then((chunks) =>
    console.log(JSON.stringify(JSON.parse(chunks.join("")).plan.objects)))'`,
};

const cluster = useCluster();
/** The folder that a reader has cloned. */
let clone = "";
let environment: Record<string, string> = {};
beforeAll(async () => {
  await cluster.installSmall("reader");
  clone = await mkdtemp(join(cluster.gke.directory, "clone-"));
  await cp(join(PROJECT, "setup"), join(clone, "setup"), { recursive: true });
  for (const name of ["dist", "node_modules", "package.json"]) {
    await symlink(join(PROJECT, name), join(clone, name));
  }
  const bin = join(clone, "bin");
  await mkdir(bin);
  for (const [name, script] of Object.entries(STAND_INS)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const { kubectl, helm4 } = cluster.tools;
  const path = [bin, dirname(process.execPath), dirname(kubectl), dirname(helm4), process.env.PATH];
  environment = {
    ...cluster.gke.env,
    PATH: path.join(":"),
    HOME: clone,
    GITHUB_ACTIONS: "",
    npm_config_update_notifier: "false",
    // The pages' release is in the namespace default, and its chart on the Internet.
    INPUT_NAMESPACE: "reader",
    INPUT_CHART: CHART,
  };
});

/** Returns the commands of a page, each with the lines that belong to it. */
async function commandsOf(page: string): Promise<string[]> {
  const text = await readFile(join(PROJECT, page), "utf8");
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
  return blocks.flatMap(
    // A line that ends with a backslash goes on, and a here-document goes on to its end.
    (block) => block.match(/^.*<<'EOF'$[\s\S]*?^EOF$|^(?:.*\\\n)*.+$/gm) ?? [],
  );
}

/** Runs the commands of a page one after the other, as its reader does in one shell. */
async function walk(page: string, before = ""): Promise<Output> {
  const commands = (await commandsOf(page)).filter(
    (command) => !NOT_RUN.some(([known]) => known.test(command)),
  );
  expect(commands.length).toBeGreaterThan(0);
  const script = [before, ...commands]
    .join("\n")
    .replaceAll("--namespace default", "--namespace reader")
    // Cloud Shell puts the chosen project in its place.
    .replaceAll("<walkthrough-project-id/>", "my-project");
  const shell = { name: "bash", path: "/usr/bin/env", env: environment };
  const steps = `cd "${clone}"\nset -euxo pipefail\n${script}`;
  const output = await run(shell, ["bash", "-c", steps]);
  expect(output.exitCode, output.stderr).toBe(0);
  return output;
}

test("docs/getting-started.md ends with a workflow, and a planner who plans and may change nothing", async () => {
  await walk("docs/getting-started.md");
  const { jobs } = parse(await readFile(join(clone, "milvus.yml"), "utf8"));
  expect(Object.keys(jobs)).toEqual(["plan", "deploy"]);
  const variables = await readFile(join(clone, "setup/terraform/terraform.tfvars"), "utf8");
  expect(variables).toContain('host          = "my-release.milvus.io"');
  const planner = "milvus-planner@my-project.iam.gserviceaccount.com";
  const canPatch = ["auth", "can-i", "patch", "secrets", "--as", planner, "--namespace", "reader"];
  await expect(cluster.kubectl(...canPatch)).rejects.toThrow();
  const kubeconfig = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
  for (const { user } of kubeconfig.users) user.as = planner;
  await writeFile(join(clone, "planner.kubeconfig"), stringify(kubeconfig));
  const plan = ["--host", "my-release.milvus.io", "--kubeconfig", join(clone, "planner.kubeconfig")];
  const node = { name: "node", path: process.execPath, env: environment };
  const program = join(clone, "dist/index.js");
  const { exitCode, stdout, stderr } = await run(node, [program, ...plan, "--mode", "plan"]);
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/^would_change +true$/m);
});

test("docs/by-hand.md plans, deploys, and has nothing left to change", async () => {
  const { stdout } = await walk("docs/by-hand.md", "echo root:Milvus > milvus-token.txt");
  expect(stdout).toMatch(/^would_change +true$/m);
  expect(stdout).toMatch(/^endpoint +https:\/\/\S+:443$/m);
  const objects: { action: string }[] = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  expect(objects.map(({ action }) => action)).toEqual(objects.map(() => "keep"));
});

test("docs/cloud-shell-tutorial.md plans and deploys", async () => {
  const { stdout } = await walk("docs/cloud-shell-tutorial.md");
  expect(stdout.match(/^host +my-release\.milvus\.io$/gm)).toHaveLength(2);
});

test("every command that isn't run is one that a page shows", async () => {
  const pages = ["docs/getting-started.md", "docs/by-hand.md", "docs/cloud-shell-tutorial.md"];
  const shown = (await Promise.all(pages.map(commandsOf))).flat();
  for (const [command] of NOT_RUN) expect(shown).toContainEqual(expect.stringMatching(command));
});
