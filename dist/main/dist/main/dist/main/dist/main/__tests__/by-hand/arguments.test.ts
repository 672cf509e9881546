import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { inputGroups } from "../../src/by-hand/action-inputs.ts";
import { readArguments } from "../../src/by-hand/arguments.ts";
import { helpText } from "../../src/by-hand/help.ts";

const GROUPS = inputGroups(readFileSync(join(import.meta.dirname, "../../action.yml"), "utf8"));
const DECLARED = GROUPS.flatMap(({ inputs }) => inputs);

const folder = mkdtempSync(join(tmpdir(), "by-hand-"));
const secret = join(folder, "secret");
writeFileSync(secret, "root:Milvus\n");
afterAll(() => rmSync(folder, { recursive: true }));

function inputsOf(args: string[], environment: NodeJS.ProcessEnv = {}): Record<string, string> {
  const command = readArguments(args, DECLARED, environment);
  return command.kind === "run" ? command.inputs : {};
}

describe("flags are the action's inputs", () => {
  test.each<[string, string[], Record<string, string>]>([
    ["with a hyphen", ["--cluster-name", "c"], { cluster_name: "c" }],
    ["with an underscore", ["--cluster_name", "c"], { cluster_name: "c" }],
    ["with an equals sign", ["--host=a.b"], { host: "a.b" }],
    ["with an equals sign in the value", ["--values=a: b=c"], { values: "a: b=c" }],
    ["a switch alone", ["--install", "--mode", "plan"], { install: "true", mode: "plan" }],
    ["a switch with a value", ["--keep-layer4", "false"], { keep_layer4: "false" }],
    ["a switch at the end", ["--adopt"], { adopt: "true" }],
    ["a negative number", ["--values", "-1"], { values: "-1" }],
    ["an empty value", ["--context="], { context: "" }],
    ["the text of a file", [`--milvus-token=@${secret}`], { milvus_token: "root:Milvus" }],
    ["the text of a file, apart", ["--milvus-token", `@${secret}`], { milvus_token: "root:Milvus" }],
  ])("%s", (_, args, inputs) => {
    expect(inputsOf(args)).toMatchObject(inputs);
  });

  test("those that aren't given have their variable, else action.yml's default", () => {
    const inputs = inputsOf(["--release", "r"], { INPUT_RELEASE: "x", INPUT_MILVUS_TOKEN: "t" });
    expect(inputs).toMatchObject({ release: "r", milvus_token: "t", namespace: "default", host: "" });
    expect(Object.keys(inputs)).toEqual(DECLARED.map(({ name }) => name));
  });

  test("gcloud is not looked for, and the runner's expressions count as nothing", () => {
    expect(inputsOf([])).toMatchObject({ gcloud_version: "none", github_token: "" });
  });
});

test.each<[string[], object]>([
  [["--help"], { kind: "help" }],
  [["--host", "a.b", "-h"], { kind: "help" }],
  [["--output", "json"], { kind: "run", output: "json" }],
  [[], { kind: "run", output: "text" }],
])("%j", (args, command) => {
  expect(readArguments(args, DECLARED, {})).toMatchObject(command);
});

test.each([
  [["--hots", "a.b"], '"--hots" is not a flag.', "--help lists them"],
  [["a.b"], '"a.b" is not a flag.', "--help lists them"],
  [["--"], '"--" is not a flag.', "--help lists them"],
  [["--host"], "--host has no value.", "--host=VALUE"],
  [["--host", "--install"], "--host has no value.", "--host=VALUE"],
  [["--host", "a", "--host", "b"], "--host is given twice.", "give it once"],
  [["--output", "yaml"], '--output: "yaml" is not text or json.', "--output=json"],
  [["--values=@/no/such/file"], "--values: the file /no/such/file can't be read.", "ENOENT"],
  [["--milvus-token", "root:Milvus"], "--milvus-token is a secret", "INPUT_MILVUS_TOKEN"],
  [["--tls_private_key=x"], "--tls-private-key is a secret", "=@FILE"],
  [["--kubeconfig", "apiVersion: v1\nkind: Config"], "--kubeconfig is a secret", "=@FILE"],
])("%j is refused", (args, what, remedy) => {
  const refuse = () => readArguments(args, DECLARED, {});
  expect(refuse).toThrow(what);
  expect(refuse).toThrow(remedy);
  expect(refuse).not.toThrow("root:Milvus");
});

test("the help has every input with its default, in the groups of action.yml, within 100 columns", () => {
  const text = helpText(GROUPS);
  const flags = [...text.matchAll(/^ {2}--([\w-]+)$/gm)].map(([, flag]) => flag?.replaceAll("-", "_"));
  const names = DECLARED.filter(({ isDeprecated }) => !isDeprecated).map(({ name }) => name);
  expect(flags.filter((flag) => flag !== "help")).toEqual(names);
  for (const { title } of GROUPS) expect(text).toContain(`\n${title}:\n`);
  expect(text).toContain("The Helm release that runs Milvus. Default: my-release.");
  expect(text).not.toContain("${{");
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(106);
});
