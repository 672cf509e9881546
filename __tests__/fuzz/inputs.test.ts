import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { secretsOf } from "../../src/inputs/secrets.ts";
import { readSettings } from "../../src/inputs/settings.ts";
import { readManifests } from "../../src/kubernetes/manifest-files.ts";
import { HOSTILE, hostileText, LIMIT_MS, RUNS, refusalOf, textOf, tryEach } from "../support/hostile.ts";
import { captureLog } from "../support/job-log.ts";

vi.setConfig({ testTimeout: LIMIT_MS });

const action: { inputs: Record<string, { default?: string }> } = parse(
  readFileSync(join(import.meta.dirname, "../../action.yml"), "utf8"),
);
const NAMES = Object.keys(action.inputs);
const USUAL: Record<string, string> = {
  host: "my-release.milvus.io",
  location: "us-central1",
  cluster_name: "my-cluster",
};

let workspace: string;
beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), "fuzz-"));
});
afterAll(() => rmSync(workspace, { recursive: true }));
const log = captureLog();

/** Reads the inputs as the action does. Few warnings are all that it may print. */
function read(given: Record<string, string>): void {
  log.text = "";
  try {
    readAll(given);
  } finally {
    expect(log.text.length).toBeLessThan(200_000);
    expect(log.text).toMatch(/^(::warning title=Milvus on GKE::[^\r\n]*\n){0,20}$/);
  }
}

function readAll(given: Record<string, string>): void {
  const settings = readSettings((name) => given[name] ?? action.inputs[name]?.default ?? "", workspace);
  for (const secret of secretsOf(settings)) expect(secret).not.toBe("");
}

test.each(NAMES)("%s is usable or refused, whatever it is", (name) => {
  tryEach((text) => refusalOf(() => read({ ...USUAL, [name]: text })));
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("several inputs are usable or refused together, whatever they are", () => {
  const inputs = fc.dictionary(fc.constantFrom(...NAMES), hostileText, { maxKeys: 5 });
  fc.assert(
    fc.property(inputs, fc.boolean(), (given, isComplete) => {
      refusalOf(() => read({ ...(isComplete && USUAL), ...given }));
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test.each(["credentials_json", "milvus_token", "tls_private_key", "kubeconfig", "values", "frontend_config"])(
  "no error shows a secret in %s",
  (name) => {
    const secret = "S3cr3t-in-the-input";
    fc.assert(
      fc.property(hostileText, hostileText, (before, after) => {
        const error = refusalOf(() => read({ ...USUAL, [name]: `${before}${secret}${after}` }));
        expect(error).not.toContain(secret);
      }),
      { numRuns: RUNS / 10 },
    );
  },
);

test("patterns of manifests are files or refused, whatever they are", async () => {
  for (const text of HOSTILE) {
    await readManifests(text.split("\n").slice(0, 5), workspace, "milvus").catch(textOf);
  }
});
