import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { FAULTS } from "../local-gke/cloud.ts";
import { DEFAULT_TIMING } from "../local-gke/ingress/timing.ts";
import { messageOf } from "../src/base/errors.ts";
import { readSettings } from "../src/inputs/settings.ts";

const project = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(project, path), "utf8");
const readme = read("README.md");
const localGke = read("docs/local-gke.md");
const action = parse(read("action.yml"));

/** Returns the cells of the rows of the table below a heading, its head left out. */
function tableBelow(heading: string, text = readme): string[][] {
  const section = text.split(/^(?=#+ )/m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

/** Returns the parsed YAML blocks of a document. */
function yamlBlocks(text: string): Block[] {
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => parse(block ?? ""));
}

/** Returns the steps that use this action. */
function stepsOf(blocks: Block[]): Step[] {
  const steps = blocks.flatMap((block) =>
    Array.isArray(block) ? block : Object.values(block.jobs ?? {}).flatMap((job) => job.steps),
  );
  return steps.filter(({ uses }) => uses?.includes("milvus-gke-load-balancer@"));
}

interface Input {
  description: string;
  default?: string;
  required?: boolean;
}

/**
 * Returns the groups of inputs in action.yml: the comment before a group, and its inputs as rows of a table.
 */
function inputGroups(): [group: string, rows: string[][]][] {
  const [, inputs = ""] = read("action.yml").split(/^(?:inputs|outputs):$/m);
  return inputs
    .split(/^(?= {2}# )/m)
    .slice(1)
    .map((group) => [
      group.split("\n")[0]?.slice("  # ".length) ?? "",
      Object.entries<Input>(parse(group)).map(inputRow),
    ]);
}

/** Returns an input as a row of a table. */
function inputRow([name, input]: [string, Input]): string[] {
  const fallback = input.default === undefined ? "" : `\`${input.default}\``;
  return [`\`${name}\``, input.required ? "required" : fallback, input.description.replaceAll("|", "\\|")];
}

/** Returns an output as a row of a table. */
function outputRow([name, output]: [string, { description: string }]): string[] {
  return [`\`${name}\``, output.description.replaceAll("|", "\\|")];
}

/** Returns the lines of the error for these inputs. */
function mistakesIn(inputs: Record<string, string>): string[] {
  try {
    readSettings((name) => inputs[name] ?? "", "/");
    return [];
  } catch (error) {
    return messageOf(error).split("\n");
  }
}

test("action.yml's inputs are in groups, with the seven that matter first", () => {
  const groups = inputGroups();
  expect(groups.flatMap(([, rows]) => rows)).toEqual(Object.entries<Input>(action.inputs).map(inputRow));
  expect(groups[0]?.[0]).toBe("The seven that matter");
  expect(groups[0]?.[1]).toHaveLength(7);
});

test("docs/inputs.md has the groups of action.yml in its order, and lists them at its top", () => {
  const text = read("docs/inputs.md");
  const groups = inputGroups();
  expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual(
    groups.map(([name]) => name),
  );
  for (const [name, rows] of groups) expect(tableBelow(`## ${name}`, text)).toEqual(rows);
  expect([...text.matchAll(/^- \[(.*)\]\(#/gm)].map(([, name]) => name)).toEqual(
    groups.map(([name]) => name),
  );
});

test("docs/outputs.md has the outputs of action.yml", () => {
  const rows = Object.entries<{ description: string }>(action.outputs).map(outputRow);
  expect(tableBelow("# Outputs", read("docs/outputs.md"))).toEqual(rows);
});

test("action-types.yml has the types of all inputs and outputs", () => {
  const types = parse(read("action-types.yml"));
  expect(Object.keys(types.inputs)).toEqual(Object.keys(action.inputs));
  expect(Object.keys(types.outputs)).toEqual(Object.keys(action.outputs));
  for (const [name, input] of Object.entries<Input>(action.inputs)) {
    const type = types.inputs[name];
    const isSwitch = input.default === "true" || input.default === "false";
    expect(type.type === "boolean", name).toBe(isSwitch);
    // The action takes each of the values, and no other.
    const mistakes = (value: string) =>
      mistakesIn({ [name]: value }).filter((line) => line.startsWith(`- ${name}: `));
    if (type.type !== "enum") continue;
    for (const value of type["allowed-values"]) expect(mistakes(value), value).toEqual([]);
    expect(mistakes("no-such-value"), name).toEqual([
      expect.stringContaining(type["allowed-values"].join(", ")),
    ]);
  }
});

test("the README has the seven inputs that matter, and outputs and errors as docs/ has them", () => {
  expect(tableBelow("## Inputs")).toEqual(inputGroups()[0]?.[1]);
  const outputs = tableBelow("## Outputs");
  expect(outputs.length).toBeGreaterThan(4);
  expect(tableBelow("# Outputs", read("docs/outputs.md"))).toEqual(expect.arrayContaining(outputs));
  const errors = tableBelow("## Troubleshooting");
  expect(errors).toHaveLength(10);
  const explained = read("docs/troubleshooting.md")
    .replaceAll(/<a id="[^"]*"><\/a>/g, "")
    .split("\n");
  expect(errors.filter((row) => !explained.includes(`| ${row.join(" | ")} |`))).toEqual([]);
});

test("the README has at most 12 kB", () => {
  expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(12_000);
});

test("the faults and times of docs/local-gke.md are those that there are", () => {
  const names = (heading: string) => tableBelow(heading, localGke).map(([name]) => name?.replaceAll("`", ""));
  expect(names("### Faults").sort()).toEqual([...FAULTS].sort());
  const times = tableBelow("### Timing", localGke).map(([name = "", time]) => [
    name.replaceAll("`", ""),
    Number(time),
  ]);
  expect(Object.fromEntries(times)).toEqual(DEFAULT_TIMING);
});

test("the workflows that it shows use inputs and outputs that exist, and are YAML", () => {
  const ours = stepsOf(yamlBlocks(readme));
  expect(ours.length).toBeGreaterThan(1);
  for (const { with: inputs = {} } of ours) {
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(Object.keys(inputs)));
  }
  const outputs = [...readme.matchAll(/steps\.milvus\.outputs\.(\w+)/g)].map(([, name]) => name);
  expect(outputs.length).toBeGreaterThan(0);
  expect(Object.keys(action.outputs)).toEqual(expect.arrayContaining(outputs));
});

test.each(readdirSync(join(project, "examples")).filter((name) => name.endsWith(".yml")))(
  "examples/%s uses inputs and outputs that exist",
  (name) => {
    const text = read(`examples/${name}`);
    const steps = stepsOf([parse(text)]);
    expect(steps.length).toBeGreaterThan(0);
    const inputs = steps.flatMap((step) => Object.keys(step.with ?? {}));
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(inputs));
    const outputs = [...text.matchAll(/steps\.\w+\.outputs\.(\w+)/g)].map(([, output]) => output);
    expect(Object.keys(action.outputs)).toEqual(expect.arrayContaining(outputs));
  },
);

test("docs/how-to.md lists every example", () => {
  const examples = readdirSync(join(project, "examples")).filter((name) => name.endsWith(".yml"));
  const listed = tableBelow("# How to", read("docs/how-to.md")).map(([link]) => link);
  expect(listed.toSorted()).toEqual(examples.map((name) => `[${name}](../examples/${name})`).toSorted());
});

/** Parameters of MilvusClient's. */
const PYMILVUS = ["server_name", "server_pem_path"];
const guides = readdirSync(join(project, "docs")).filter(
  (name) => name.endsWith(".md") && !["local-gke.md", "permissions.md"].includes(name),
);

describe.each(guides)("docs/%s", (name) => {
  const text = read(`docs/${name}`);

  test.runIf(text.includes("```yaml"))("its workflows, and the parts of them, set inputs that exist", () => {
    // Blocks for kubectl are not part of a workflow.
    const blocks = yamlBlocks(text).filter((block) => !("apiVersion" in block));
    const parts = blocks.filter((block) => !Array.isArray(block) && !("jobs" in block));
    const set = [...stepsOf(blocks).map((step) => step.with ?? {}), ...parts].flatMap(Object.keys);
    expect(set.length).toBeGreaterThan(5);
    expect([...Object.keys(action.inputs), "env", "concurrency", "permissions"]).toEqual(
      expect.arrayContaining(set),
    );
  });

  test("the inputs with their values and the outputs that its text names exist", () => {
    const descriptions = Object.values<{ description: string }>(action.inputs).map(
      (input) => input.description,
    );
    const values = [...descriptions.join("\n").matchAll(/`(\w+)`/g)].map(([, value]) => value);
    const prose = text.replaceAll(/```.*?```/gs, "");
    const named = [...prose.matchAll(/`([a-z]+(?:_[a-z0-9]+)+)`/g)].map(([, name]) => name);
    const known = [...Object.keys(action.inputs), ...Object.keys(action.outputs), ...values, ...PYMILVUS];
    expect(known).toEqual(expect.arrayContaining(named));
  });
});

/** Returns the anchors of a page: those of its headings, as GitHub makes them, and its own. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading.toLowerCase());
  const own = [...text.matchAll(/<a id="(.*?)">/g)].map(([, id = ""]) => id);
  return [...headings.map((heading) => heading.replace(/[^\w -]/g, "").replaceAll(" ", "-")), ...own];
}

const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...guides.map((name) => `docs/${name}`)];

test.each(pages)("the pages and headings that %s links to exist", (page) => {
  const text = read(page).replaceAll(/```.*?```/gs, "");
  for (const [, path = "", anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
    const target = path === "" ? page : join(dirname(page), path);
    const linked = read(target);
    if (anchor !== undefined) expect(anchorsOf(linked), `${target}#${anchor}`).toContain(anchor);
  }
});

test("the tutorial that the Cloud Shell button opens exists, and the commands by hand set inputs that exist", () => {
  const byHand = read("docs/by-hand.md");
  const [button = "", tutorial = ""] = /https:\/\/shell\S+cloudshell_tutorial=([^&)]+)/.exec(byHand) ?? [];
  expect(readme).toContain(button);
  const commands = `${byHand}\n${read(tutorial)}`.match(/node dist\/index\.js .*/g) ?? [];
  expect(commands.length).toBeGreaterThan(3);
  const flags = commands.flatMap((command) => command.match(/(?<= --)[a-z-]+/g) ?? []);
  const inputs = flags.filter((flag) => flag !== "output").map((flag) => flag.replaceAll("-", "_"));
  expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(inputs));
});

test("the commands of package.json that it names exist", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const named = [...readme.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});

/** Steps, a workflow, or a part of one. */
type Block = Step[] | { jobs?: Record<string, { steps: Step[] }> };

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
}
