import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { beforeAll, describe, expect, test } from "vitest";
import { terraformToJson } from "../../scripts/linters/linters.ts";
import { run } from "../../src/base/process.ts";
import { aMachine, FLAGS, PROJECT } from "./machine.ts";

const FOLDER = join(PROJECT, "setup/terraform");

const Blocks = v.optional(v.array(v.record(v.string(), v.record(v.string(), v.unknown()))), []);
const Attributes = v.record(v.string(), v.unknown());
/** A file of Terraform's, as hcl2tojson has it. */
const File = v.object({
  variable: v.optional(v.array(v.record(v.string(), Attributes)), []),
  locals: v.optional(v.array(v.record(v.string(), v.string())), []),
  resource: Blocks,
  output: v.optional(v.array(v.record(v.string(), v.object({ value: v.string() }))), []),
});

interface Resource {
  type: string;
  name: string;
  attributes: Record<string, unknown>;
}

let files: v.InferOutput<typeof File>[] = [];
beforeAll(async () => {
  const converter = await terraformToJson();
  const args = ["--quiet", "--ndjson", "--strip-string-quotes", "--no-explicit-blocks", FOLDER];
  const { exitCode, stdout, stderr } = await run(converter, args);
  expect(exitCode, stderr).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  files = lines.map((line) => v.parse(v.pipe(v.string(), v.parseJson(), File), line));
  // On a new machine the converter is installed first.
}, 300_000);

const resources = (): Resource[] =>
  files
    .flatMap(({ resource }) => resource)
    .flatMap((block) =>
      Object.entries(block).flatMap(([type, named]) =>
        Object.entries(named).map(([name, attributes]) => ({
          type,
          name,
          attributes: v.parse(Attributes, attributes),
        })),
      ),
    );

/** Evaluates the kinds of expressions that these files have. */
class Evaluation {
  readonly #variables: Record<string, string | undefined>;

  constructor(variables: Record<string, string | undefined>) {
    this.#variables = variables;
  }

  /** The resources that there are with these variables, with their values. */
  resources(type: string): Record<string, unknown>[] {
    return resources()
      .filter((resource) => resource.type === type && this.#isThere(resource.attributes))
      .map(({ attributes }) => v.parse(Attributes, this.text(attributes)));
  }

  /** Returns a value with everything that it refers to filled in. */
  text(value: unknown): unknown {
    if (typeof value === "string")
      return value.replaceAll(/\$\{([\w.[\]*]+)\}/g, (_, name) => this.#of(name));
    if (Array.isArray(value)) return value.map((item) => this.text(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.text(item)]));
  }

  /** The arguments of `templatefile`. */
  templateValues(call: string): Record<string, string> {
    const pairs = [...call.matchAll(/(\w+) = ("[^"]*"|join\(.*?\]\)|[\w.]+)/g)];
    return Object.fromEntries(
      pairs.map(([, key = "", expression = ""]) => [key, this.#expression(expression)]),
    );
  }

  #expression(expression: string): string {
    const choices = [...expression.matchAll(/var\.(\w+) == null \? "" : ("[^"]*")/g)];
    if (choices.length > 0) {
      return choices
        .map(([, name = "", text = ""]) =>
          this.#variables[name] === undefined ? "" : this.#expression(text),
        )
        .join("");
    }
    if (!expression.startsWith('"')) return this.#of(expression);
    return String(this.text(JSON.parse(expression)));
  }

  #isThere({ count }: Record<string, unknown>): boolean {
    const [, name] = /^\$\{var\.(\w+) == null \? 0 : 1\}$/.exec(String(count)) ?? [];
    return name === undefined || this.#variables[name] !== undefined;
  }

  #of(reference: string): string {
    const [kind = "", name = "", attribute = ""] = reference.split(".");
    if (kind === "var") {
      const value = this.#variables[name];
      if (value === undefined) throw new Error(`${reference} is null`);
      return value;
    }
    if (kind === "local") {
      const local = files.flatMap(({ locals }) => locals).find((each) => name in each)?.[name];
      return String(this.text(local));
    }
    if (reference === "each.value") return reference;
    if (reference === "data.google_project.this.number") return "987654321";
    const found = resources().find((each) => each.type === kind && each.name === name);
    if (!found) throw new Error(`there is no ${reference}`);
    const project = `${this.#variables.project}.iam.gserviceaccount.com`;
    if (attribute === "email") return `${found.attributes.account_id}@${project}`;
    if (attribute === "name") return `${found.attributes.account_id}@${project}`;
    return attribute === "" ? reference : String(this.text(found.attributes[attribute]));
  }
}

/** The values of the flags in machine.ts. */
const VARIABLES = {
  ...{ project: "my-project", repository_id: "456", owner_id: "123", cluster: "my-cluster" },
  ...{ location: "europe-west4", host: "milvus.acme.example", branch: "main" },
};

describe.each([
  { what: "the least", more: {}, flags: [] },
  {
    what: "an address and a new zone",
    more: { address: "my-address", zone: "my-zone", domain: "acme.example" },
    flags: ["--address", "my-address", "--zone", "my-zone", "--domain", "acme.example"],
  },
  { what: "a zone that is there", more: { zone: "their-zone" }, flags: ["--zone", "their-zone"] },
])("with $what Terraform and bootstrap.sh give the same", ({ more, flags }) => {
  let commands: string[] = [];
  let workflow = "";
  const evaluation = new Evaluation({ ...VARIABLES, ...more });
  beforeAll(async () => {
    let remove = async () => {};
    const { bootstrap, asked } = await aMachine((removal) => {
      remove = removal;
    });
    const { exitCode, stdout, stderr } = await bootstrap(...FLAGS, ...flags);
    expect(exitCode, stderr).toBe(0);
    workflow = stdout;
    commands = await asked();
    return remove;
  });
  const flagsOf = (pattern: RegExp) =>
    commands.filter((command) => pattern.test(command)).map((command) => command.split(/ (?=--)/));

  test("roles", () => {
    const granted = flagsOf(/^projects add-iam-policy-binding/).map(([, member, role]) => [
      member?.replace("--member=", ""),
      role?.replace("--role=", ""),
    ]);
    const given = evaluation.resources("google_project_iam_member");
    expect(given.map(({ member, role }) => [member, role]).toSorted()).toEqual(granted.toSorted());
    expect(granted.length).toBeGreaterThan(1);
  });

  test("who may act as which account", () => {
    const letAct = flagsOf(/^iam service-accounts add-iam-policy-binding/).map(([account, role, member]) => [
      account?.split(" ").at(-1),
      role?.replace("--role=", ""),
      member?.replace("--member=", ""),
    ]);
    const members = evaluation.resources("google_service_account_iam_member");
    expect(members.map((each) => [each.service_account_id, each.role, each.member])).toEqual(letAct);
    expect(letAct).toHaveLength(2);
  });

  test("pool and provider", () => {
    const [create] = flagsOf(/providers create-oidc/);
    const [provider] = evaluation.resources("google_iam_workload_identity_pool_provider");
    const mapping = Object.entries(v.parse(Attributes, provider?.attribute_mapping));
    const [oidc] = v.parse(v.array(v.object({ issuer_uri: v.string() })), provider?.oidc);
    expect(create).toEqual(
      expect.arrayContaining([
        `iam workload-identity-pools providers create-oidc ${provider?.workload_identity_pool_provider_id}`,
        `--workload-identity-pool=${provider?.workload_identity_pool_id}`,
        `--issuer-uri=${oidc?.issuer_uri}`,
        `--attribute-mapping=${mapping.map(([to, from]) => `${to}=${from}`).join(",")}`,
        `--attribute-condition=${provider?.attribute_condition}`,
      ]),
    );
    const [pool] = evaluation.resources("google_iam_workload_identity_pool");
    const { workload_identity_pool_id: id, display_name: title } = pool ?? {};
    expect(flagsOf(/pools create /)).toEqual([
      expect.arrayContaining([`iam workload-identity-pools create ${id}`, `--display-name=${title}`]),
    ]);
  });

  test("accounts, address, zone and APIs", () => {
    const created = (what: string) =>
      flagsOf(new RegExp(`^${what} create `)).map(([command]) => command?.split(" ").at(-1));
    const ids = (type: string, id: string) => evaluation.resources(type).map((each) => each[id]);
    expect(ids("google_service_account", "account_id")).toEqual(created("iam service-accounts"));
    expect(ids("google_compute_global_address", "name")).toEqual(created("compute addresses"));
    expect(ids("google_dns_managed_zone", "name")).toEqual(created("dns managed-zones"));
    const [domain] = ids("google_dns_managed_zone", "dns_name");
    if (domain !== undefined) expect(commands.join("\n")).toContain(`--dns-name=${domain} `);
    const [apis] = evaluation.resources("google_project_service");
    const [enabled] = flagsOf(/^services enable/);
    expect(String(apis?.for_each).match(/[a-z]+\.googleapis\.com/g)).toEqual(
      enabled?.[0]?.split(" ").slice(2),
    );
  });

  test("the finished workflow", async () => {
    const template = await readFile(join(PROJECT, "setup/workflow.yml.tftpl"), "utf8");
    const call =
      files.flatMap(({ output }) => output).find((each) => "workflow" in each)?.workflow?.value ?? "";
    const values = evaluation.templateValues(call);
    const filled = template
      .replaceAll(/(?<!\$)\$\{(\w+)\}/g, (_, name) => values[name] ?? `no ${name}`)
      .replaceAll("$${", "${");
    expect(filled).toBe(workflow);
  });
});

test("every variable is used, and has a description and a type", async () => {
  const texts = await Promise.all(
    (await readdir(FOLDER)).map((name) => readFile(join(FOLDER, name), "utf8")),
  );
  const variables = files.flatMap(({ variable }) => variable).flatMap((each) => Object.entries(each));
  expect(variables.length).toBeGreaterThan(7);
  for (const [name, { description, type }] of variables) {
    expect({ description, type }).toEqual({ description: expect.stringMatching(/\.$/), type: "string" });
    expect(texts.join("\n")).toContain(`var.${name}`);
  }
});

/**
 * Returns the lines whose indentation or alignment `terraform fmt` would change.
 */
function misformatted(text: string): string[] {
  const lines = text.split("\n");
  const wrong: string[] = [];
  let depth = 0;
  let group: { line: string; key: string; column: number }[] = [];
  const endGroup = () => {
    const width = Math.max(...group.map(({ key }) => key.length)) + 1;
    wrong.push(...group.filter(({ column }) => column !== width).map(({ line }) => line));
    group = [];
  };
  for (const line of lines) {
    const code = line.replace(/#.*/, "").replaceAll(/"[^"]*"/g, '""');
    const closesFirst = /^ *[}\])]/.test(code);
    if (line !== "" && line.search(/\S|$/) !== 2 * (closesFirst ? depth - 1 : depth)) wrong.push(line);
    if (line !== line.trimEnd()) wrong.push(line);
    const isOpening = /[[({]$/.test(code);
    const [, key] = /^ *("[^"]*"|\w+) *= /.exec(line) ?? [];
    if (key === undefined || isOpening) endGroup();
    if (key !== undefined && !isOpening) {
      group.push({ line, key, column: line.trimStart().indexOf("= ", key.length) });
    }
    // Brackets that open or close on one line indent once.
    const opened = (code.match(/[[({]/g) ?? []).length - (code.match(/[\])}]/g) ?? []).length;
    depth += Math.sign(opened);
  }
  endGroup();
  return wrong;
}

test.each([
  ["a = 1\nbb = 2\n", ["a = 1"]],
  ["x {\n   a = 1\n}\n", ["   a = 1"]],
  ["x = f(g([\n  1,\n]))\n", []],
  ["a = 1 \n", ["a = 1 "]],
])("misformatted finds what is wrong in %j", (text, wrong) => {
  expect(misformatted(text)).toEqual(wrong);
});

test("the files are formatted as terraform fmt does", async () => {
  for (const name of await readdir(FOLDER)) {
    expect(misformatted(await readFile(join(FOLDER, name), "utf8")), name).toEqual([]);
  }
});
