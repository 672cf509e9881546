import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { which } from "@actions/io";
import { afterAll, beforeAll, expect, test } from "vitest";
import { down, status } from "../../local-gke/cluster.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { act } from "./act.ts";

/** The name that e2e.yml gives its local GKE. */
const NAME = "e2e";

/**
 * An npm whose `npm ci` takes the packages that the one before `npm test` has installed, from the same
 * package-lock.json: to install them again takes 18 s of CPU time.
 */
const npm = async () => `#!/bin/sh
[ "$1" = ci ] && exec ln -s '${PROJECT}/node_modules' node_modules
exec '${await which("npm", true)}' "$@"
`;

let runnerFiles = "";
let bin = "";
beforeAll(async () => {
  runnerFiles = await mkdtemp(join(tmpdir(), "act-"));
  bin = join(runnerFiles, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "npm"), await npm(), { mode: 0o755 });
});
afterAll(async () => {
  await down(NAME);
  await rm(runnerFiles, { recursive: true, force: true });
});

test("e2e.yml passes on a workflow runner with this checkout's packages, and leaves nothing running", async () => {
  const flags = ["--directory", PROJECT, "--action-cache-path", runnerFiles];
  const platform = ["--platform", "ubuntu-latest=-self-hosted"];
  const workflow = join(PROJECT, ".github/workflows/e2e.yml");
  const args = [...flags, ...platform];
  const { exitCode, log, results } = await act("pull_request", workflow, args, [bin]);
  expect(exitCode, log).toBe(0);
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
