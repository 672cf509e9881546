import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import { down, status } from "../../local-gke/cluster.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { run } from "../../src/base/process.ts";

/** The name that e2e.yml gives its local GKE. */
const NAME = "e2e";

/** One line of `act --json`. */
const Entry = v.object({
  msg: v.optional(v.string(), ""),
  stage: v.optional(v.string()),
  step: v.optional(v.string()),
  stepResult: v.optional(v.string()),
});

let runnerFiles = "";
beforeAll(async () => {
  runnerFiles = await mkdtemp(join(tmpdir(), "act-"));
});
afterAll(async () => {
  await down(NAME);
  await rm(runnerFiles, { recursive: true, force: true });
});

test("e2e.yml passes on a workflow runner, its own npm ci included, and leaves nothing running", async () => {
  const { act, kubectl, helm4 } = await binaries(["act", "kubectl", "helm4"]);
  // A runner of GitHub's brings kubectl and Helm along; act takes Node 24, for the action and for npm, from PATH.
  const tools = [join(PROJECT, "node_modules/.bin"), dirname(kubectl), dirname(helm4)];
  const { exitCode, stdout, stderr } = await run(
    {
      name: "act",
      path: act,
      env: {
        PATH: [...tools, process.env.PATH].join(":"),
        // What the outer npm ci has fetched is not fetched again.
        npm_config_prefer_offline: "true",
      },
    },
    [
      "pull_request",
      "--directory",
      PROJECT,
      "--workflows",
      join(PROJECT, ".github/workflows/e2e.yml"),
      "--platform",
      "ubuntu-latest=-self-hosted",
      "--action-cache-path",
      runnerFiles,
      "--json",
    ],
    {},
  );
  const entries = stdout
    .trimEnd()
    .split("\n")
    .map((line) => v.parse(Entry, JSON.parse(line)));
  const log = entries.map(({ msg }) => msg.trimEnd()).join("\n");
  expect(exitCode, `${log}\n${stderr}`).toBe(0);

  const results = entries.flatMap(({ stage, step, stepResult }) =>
    stage && stepResult ? [`${stage} ${step}: ${stepResult}`] : [],
  );
  expect(results).toEqual([
    expect.stringMatching(/^Main actions\/checkout@.*: success$/),
    "Main Install what local-gke needs: success",
    "Main Let programs without root listen on port 443, as Google's load balancers do: success",
    "Main Bring a local GKE with a Milvus release up: success",
    "Main Put Milvus behind a load balancer: success",
    "Main Deploy once more, which must change nothing: success",
    "Main Check the outputs: success",
    "Main Insert and search with PyMilvus: success",
    "Main Take the local GKE down: success",
    "Post Deploy once more, which must change nothing: success",
    "Post Put Milvus behind a load balancer: success",
  ]);
  // With KUBECONFIG in the environment, as e2e.yml has it, the action still asks Google for the cluster.
  expect(log).toMatch(/Cluster gke_my-project_us-central1_my-cluster \(Kubernetes .*\) at https:\/\//);
  expect((await status(NAME)).processes).toEqual([]);
}, 300_000);
