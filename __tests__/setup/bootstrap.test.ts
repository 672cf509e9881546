import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { type Output, run } from "../../src/base/process.ts";

const PROJECT = join(import.meta.dirname, "../..");
const FLAGS = [
  ...["--project", "my-project", "--repository", "acme/search", "--cluster", "my-cluster"],
  ...["--location", "europe-west4", "--host", "milvus.acme.example"],
];

/** Remembers what it has created, and notes its arguments. */
const GCLOUD = `#!/usr/bin/env bash
echo "$*" >> "$HOME/asked"
key=$(echo "$*" | sed -E 's/ (describe|create-oidc|create) / /; s/(@| --).*//; s/[^a-z0-9]/-/g')
case "$*" in
  "projects describe"*) echo 987654321 ;;
  "container clusters describe my-cluster"*) ;;
  *" describe "*) [ -e "$HOME/made-$key" ] ;;
  *" create"*) touch "$HOME/made-$key" ;;
esac
`;
const GH = `#!/usr/bin/env bash
[ "$*" = 'api repos/acme/search --jq "\\(.id) \\(.owner.id)"' ] && echo "456 123"
`;

/** Makes a machine with stand-ins for gcloud and gh, and returns what runs the script on it. */
async function aMachine() {
  const home = await mkdtemp(join(tmpdir(), "setup-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, "bin"));
  for (const [name, text] of [
    ["gcloud", GCLOUD],
    ["gh", GH],
  ] as const) {
    await writeFile(join(home, "bin", name), text, { mode: 0o755 });
  }
  const env = { HOME: home, PATH: `${join(home, "bin")}:${process.env.PATH}` };
  const bootstrap = (...args: string[]): Promise<Output> =>
    run({ name: "bash", path: "/usr/bin/env", env }, ["bash", join(PROJECT, "setup/bootstrap.sh"), ...args]);
  const asked = async () => {
    const text = await readFile(join(home, "asked"), "utf8").catch(() => "");
    await writeFile(join(home, "asked"), "");
    return text.trimEnd().split("\n");
  };
  return { bootstrap, asked };
}

test("makes pool, provider and two accounts, and prints the workflow for them", async () => {
  const { bootstrap, asked } = await aMachine();
  const { exitCode, stdout, stderr } = await bootstrap(...FLAGS, "--dns");
  expect(exitCode, stderr).toBe(0);
  const commands = await asked();
  for (const command of commands) expect(command).toContain("--project=my-project --quiet");
  const created = commands.filter((command) => / create/.test(command));
  expect(created.map((command) => command.split(" --")[0])).toEqual([
    "iam workload-identity-pools create github",
    "iam workload-identity-pools providers create-oidc repository-456",
    "iam service-accounts create milvus-planner",
    "iam service-accounts create milvus-deployer",
  ]);
  expect(created[1]).toContain(
    "--attribute-condition=assertion.repository_owner_id == '123' && assertion.repository_id == '456'",
  );
  const granted = commands.flatMap(
    (command) => /member=(\S+) --role=(\S+)/.exec(command)?.slice(1).join(" ") ?? [],
  );
  expect(granted).toEqual([
    "serviceAccount:milvus-planner@my-project.iam.gserviceaccount.com roles/container.clusterViewer",
    "serviceAccount:milvus-deployer@my-project.iam.gserviceaccount.com roles/container.developer",
    "serviceAccount:milvus-deployer@my-project.iam.gserviceaccount.com roles/dns.admin",
  ]);
  const members = commands.flatMap(
    (command) => /workloadIdentityUser --member=\S+\/(attribute\S+)/.exec(command)?.[1] ?? [],
  );
  expect(members).toEqual(["attribute.repository_id/456", "attribute.ref/refs/heads/main"]);

  const { plan, deploy } = parse(stdout).jobs;
  const provider =
    "projects/987654321/locations/global/workloadIdentityPools/github/providers/repository-456";
  const of = (account: string) => ({
    workload_identity_provider: provider,
    service_account: `${account}@my-project.iam.gserviceaccount.com`,
  });
  expect(plan.steps[1].with).toEqual(of("milvus-planner"));
  expect(deploy.steps[1].with).toEqual(of("milvus-deployer"));
  const where = { host: "milvus.acme.example", cluster_name: "my-cluster", location: "europe-west4" };
  expect(plan.steps[2].with).toMatchObject(where);
  expect(deploy.steps[2].with).toMatchObject(where);
});

test("a second run makes nothing, and prints the same", async () => {
  const { bootstrap, asked } = await aMachine();
  const first = await bootstrap(...FLAGS);
  await asked();
  const second = await bootstrap(...FLAGS);
  expect(second).toMatchObject({ exitCode: 0, stdout: first.stdout });
  expect((await asked()).filter((command) => / create/.test(command))).toEqual([]);
});

test.each([
  [["--project"], 2, "--project has no value."],
  [["--projekt", "x"], 2, "--projekt is not a flag"],
  [["--project", "x"], 2, "--repository is required"],
  [FLAGS.with(3, "acme/unknown"), 1, "set --repository-id and --owner-id"],
  [FLAGS.with(5, "unknown"), 1, "There is no cluster unknown in europe-west4 of project my-project."],
])("%j changes nothing", async (args, code, message) => {
  const { bootstrap, asked } = await aMachine();
  const { exitCode, stderr } = await bootstrap(...args);
  expect(exitCode).toBe(code);
  expect(stderr).toContain(message);
  expect((await asked()).filter((command) => !/^container clusters describe|^$/.test(command))).toEqual([]);
});

test("the planner's Role is what docs/permissions.md lets a deployment read", async () => {
  const text = await readFile(join(PROJECT, "docs/permissions.md"), "utf8");
  const blocks = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => parse(block ?? ""));
  const deployer = blocks.find(
    ({ kind, metadata }) => kind === "Role" && metadata.name === "milvus-deployer",
  );
  const rules: { verbs: string[] }[] = deployer.rules;
  const reading = rules
    .map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => ["get", "list"].includes(verb)) }))
    .filter(({ verbs }) => verbs.length > 0);
  const [role] = parseAllDocuments(await readFile(join(PROJECT, "setup/planner-role.yaml"), "utf8"));
  expect(role?.toJS().rules).toEqual(reading);
});
