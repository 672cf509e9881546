import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSettings } from "../../src/inputs/settings.ts";
import { captureLog } from "../support/job-log.ts";

const log = captureLog();

let workspace: string;
beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "values-"));
});
afterAll(() => rm(workspace, { recursive: true }));

async function read(text: string) {
  await writeFile(join(workspace, "values.yaml"), text);
  const inputs: Record<string, string> = { host: "a.example", kubeconfig: "/k", values_files: "values.yaml" };
  return readSettings((name) => inputs[name] ?? "", workspace).values[0]?.values;
}

describe("values_files", () => {
  test.each(["a: 1\n---\n", "---\na: 1\n---\n---\n", "a: 1\n...\n"])("takes %j", async (text) => {
    expect(await read(text)).toEqual({ a: 1 });
  });

  test.each([
    ["a: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops: {mac: m}\n"],
    ["a: [{b: 'ENC[AES256_GCM,data:x]'}]\n"],
  ])("refuses what sops encrypted: %j", async (text) => {
    await expect(read(text)).rejects.toThrow(
      /values\.yaml is encrypted \(sops\): decrypt it in a step before/,
    );
  });

  test("annotates a file of the workspace at the line of its mistake", () => {
    const error = read("a: 1\nb: [\n");
    return expect(error).rejects.toMatchObject({
      annotations: [
        {
          file: "values.yaml",
          line: 3,
          message: expect.stringContaining("values.yaml is not valid YAML at line 3"),
        },
      ],
    });
  });

  test("takes a placeholder as it is", async () => {
    expect(await read("a: '{{ NAME }}'\n")).toEqual({ a: "{{ NAME }}" });
  });

  test("warns of the first placeholders, and says how many more there are", async () => {
    await read(Array.from({ length: 1000 }, (_, n) => `a${n}: "\${NAME}"\n`).join(""));
    const warnings = log.text.trimEnd().split("\n");
    expect(warnings).toHaveLength(6);
    expect(warnings[0]).toMatch(
      /^::warning title=Milvus on GKE::values_files: values\.yaml: the value a0 is a placeholder/,
    );
    expect(warnings[5]).toBe(
      "::warning title=Milvus on GKE::values_files: values.yaml: 995 more values are placeholders.",
    );
  });
});

test.each([
  ["in base64", Buffer.from('{"type": "service_account"}').toString("base64")],
  [
    "in base64 of several lines",
    Buffer.from('{"type": "service_account"}')
      .toString("base64")
      .replace(/(.{10})/g, "$1\n"),
  ],
  ["as JSON", '{"type": "service_account"}'],
])("credentials_json is taken %s", (_, text) => {
  const inputs: Record<string, string> = { host: "a.example", kubeconfig: "/k", credentials_json: text };
  const { google } = readSettings((name) => inputs[name] ?? "", "/");
  expect(google.credentials.credentialsJson).toBe('{"type": "service_account"}');
});
