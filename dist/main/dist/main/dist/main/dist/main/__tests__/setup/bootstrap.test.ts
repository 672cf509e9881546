import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { aMachine, FLAGS, PROJECT } from "./machine.ts";

test("makes pool, provider and two accounts, and prints the workflow for them", async () => {
  const { bootstrap, asked } = await aMachine();
  const { exitCode, stdout, stderr } = await bootstrap(...FLAGS, "--zone", "their-zone");
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
    "serviceAccount:milvus-planner@my-project.iam.gserviceaccount.com roles/dns.reader",
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
  const where = {
    host: "milvus.acme.example",
    cluster_name: "my-cluster",
    location: "europe-west4",
    dns_zone: "their-zone",
  };
  expect(plan.steps[2].with).toMatchObject(where);
  expect(deploy.steps[2].with).toMatchObject(where);
});

test("the workflow is examples/plan-and-deploy.yml, with the names of this project", async () => {
  const { bootstrap } = await aMachine();
  const flags = ["--project", "my-project", "--repository", "acme/search", "--cluster", "my-cluster"];
  const { stdout } = await bootstrap(
    ...flags,
    ...["--location", "us-central1", "--host", "my-release.milvus.io", "--repository-id", "456"],
    ...["--owner-id", "123"],
  );
  const example = await readFile(join(PROJECT, "examples/plan-and-deploy.yml"), "utf8");
  const here = example
    .replaceAll("projects/123456789012/", "projects/987654321/")
    .replaceAll("providers/my-repository", "providers/repository-456")
    .replaceAll(/(planner|deployer)@/g, "milvus-$1@");
  expect(stdout).toBe(here);
});

test("with an address and a domain it reserves the one, makes the zone of the other, and the workflow uses both", async () => {
  const { bootstrap, asked } = await aMachine();
  const more = ["--address", "my-address", "--zone", "my-zone", "--domain", "acme.example"];
  const { stdout } = await bootstrap(...FLAGS, ...more);
  const created = (await asked()).filter((command) => / create /.test(command)).slice(-2);
  expect(created).toEqual([
    "compute addresses create my-address --global --project=my-project --quiet",
    "dns managed-zones create my-zone --dns-name=acme.example. --description=Milvus --project=my-project --quiet",
  ]);
  const { plan, deploy } = parse(stdout).jobs;
  for (const { steps } of [plan, deploy]) {
    expect(steps[2].with).toMatchObject({ static_ip_name: "my-address", dns_zone: "my-zone" });
  }
});

test("a second run makes nothing, and prints the same", async () => {
  const { bootstrap, asked } = await aMachine();
  const all = [...FLAGS, "--address", "my-address", "--zone", "my-zone", "--domain", "acme.example"];
  const first = await bootstrap(...all);
  await asked();
  const second = await bootstrap(...all);
  expect(second).toMatchObject({ exitCode: 0, stdout: first.stdout });
  expect((await asked()).filter((command) => / create/.test(command))).toEqual([]);
});

test.each([
  [["--project"], 2, "--project has no value."],
  [["--projekt", "x"], 2, "--projekt is not a flag"],
  [["--project", "x"], 2, "--repository is required"],
  [[...FLAGS, "--domain", "acme.example"], 2, "--domain needs --zone"],
  [[...FLAGS, "--zone", "unknown"], 1, "There is no zone unknown in project my-project: --domain makes one."],
  [FLAGS.with(3, "acme/unknown"), 1, "set --repository-id and --owner-id"],
  [FLAGS.with(5, "unknown"), 1, "There is no cluster unknown in europe-west4 of project my-project."],
])("%j changes nothing", async (args, code, message) => {
  const { bootstrap, asked } = await aMachine();
  const { exitCode, stderr } = await bootstrap(...args);
  expect(exitCode).toBe(code);
  expect(stderr).toContain(message);
  expect(
    (await asked()).filter(
      (command) => !/^container clusters describe|^dns managed-zones describe|^$/.test(command),
    ),
  ).toEqual([]);
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
