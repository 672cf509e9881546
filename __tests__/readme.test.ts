import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { FAULTS } from "../local-gke/cloud.ts";
import { DEFAULT_TIMING } from "../local-gke/ingress/timing.ts";

const project = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(project, path), "utf8");
const readme = read("README.md");
const localGke = read("docs/local-gke.md");
const action = parse(read("action.yml"));

/** Returns the cells of the rows of the table below a heading, its head left out. */
function tableBelow(heading: string, text = readme): string[][] {
  const section = text.split(/^(?=##+ )/m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

/** Returns what the YAML of a document is. */
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

test("the table of inputs is that of action.yml", () => {
  const wanted = Object.entries<{ description: string; default?: string; required?: boolean }>(action.inputs);
  expect(tableBelow("## Inputs")).toEqual(
    wanted.map(([name, input]) => [
      `\`${name}\``,
      input.required ? "required" : input.default === undefined ? "" : `\`${input.default}\``,
      input.description.replaceAll("|", "\\|"),
    ]),
  );
});

test("the table of outputs is that of action.yml", () => {
  const wanted = Object.entries<{ description: string }>(action.outputs);
  expect(tableBelow("## Outputs")).toEqual(
    wanted.map(([name, output]) => [`\`${name}\``, output.description.replaceAll("|", "\\|")]),
  );
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

/** Parameters of MilvusClient's. */
const PYMILVUS = ["server_name", "server_pem_path"];
const guides = readdirSync(join(project, "docs")).filter((name) => name !== "local-gke.md");

describe.each(guides)("docs/%s", (name) => {
  const text = read(`docs/${name}`);

  test("its workflows, and the parts of them, set inputs that exist", () => {
    const blocks = yamlBlocks(text);
    const parts = blocks.filter((block) => !Array.isArray(block) && !("jobs" in block));
    const set = [...stepsOf(blocks).map((step) => step.with ?? {}), ...parts].flatMap(Object.keys);
    expect(set.length).toBeGreaterThan(5);
    expect([...Object.keys(action.inputs), "env", "concurrency"]).toEqual(expect.arrayContaining(set));
  });

  test("the inputs with their values and the outputs that its text names exist", () => {
    const descriptions = Object.values<{ description: string }>(action.inputs).map(
      (input) => input.description,
    );
    const values = [...descriptions.join("\n").matchAll(/`(\w+)`/g)].map(([, value]) => value);
    const prose = text.replaceAll(/```.*?```/gs, "");
    const named = [...prose.matchAll(/`([a-z]+(?:_[a-z0-9]+)+)`/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(2);
    const known = [...Object.keys(action.inputs), ...Object.keys(action.outputs), ...values, ...PYMILVUS];
    expect(known).toEqual(expect.arrayContaining(named));
  });
});

test("the files that it links to exist", () => {
  for (const [, path = ""] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
    expect(() => read(path)).not.toThrow();
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
