import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import type { Inputs, StepResult } from "./support/job.ts";
import { expectSuccess } from "./support/results.ts";

const cluster = useCluster();

const LOADED_MODULES = join(import.meta.dirname, "../../local-gke/bench/loaded-modules.ts");

/** What a run has started, and the parts of the program that it has loaded. */
interface Watched {
  result: StepResult;
  /** The programs without their flags. */
  programs: string[];
  /** The texts of its files. */
  loaded: string[];
}

/** Runs the action once, with a kubectl and a helm that note how they are started. */
async function watched(inputs: Inputs): Promise<Watched> {
  const directory = await mkdtemp(join(cluster.gke.directory, "watched-"));
  const [started, list] = [join(directory, "started"), join(directory, "loaded")];
  const real = { kubectl: cluster.tools.kubectl, helm: cluster.tools.helm4 };
  for (const [name, path] of Object.entries(real)) {
    const script = `#!/bin/sh\necho "${name} $*" >>'${started}'\nexec '${path}' "$@"\n`;
    await writeFile(join(directory, name), script, { mode: 0o755 });
  }
  const job = await cluster.job({
    environment: {
      PATH: `${directory}:/usr/bin:/bin`,
      NODE_OPTIONS: `--import=${LOADED_MODULES}`,
      LOADED_MODULES: list,
    },
  });
  const result = expectSuccess(await job.main(inputs));
  const files = new Set((await readFile(list, "utf8")).trim().split("\n"));
  return {
    result,
    programs: (await readFile(started, "utf8")).trimEnd().replaceAll(/ -\S+/g, "").split("\n"),
    loaded: await Promise.all([...files].map((file) => readFile(file, "utf8"))),
  };
}

function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** Tells whether gRPC is among the files, by the name of one of its options. */
function haveGrpc(texts: readonly string[]): boolean {
  return texts.some((text) => text.includes("grpc.enable_channelz"));
}

const NAMESPACE = "unchanged";
beforeAll(() => cluster.installSmall(NAMESPACE));

test("a plan loads less than 1.25 MB, and less than 1.05 MB if no input names the cluster at Google", async () => {
  const inputs = cluster.inputs(NAMESPACE, { mode: "plan" });
  const google = await watched(inputs);
  const { kubeconfig } = cluster.gke;
  const own = await watched({ ...inputs, cluster_name: undefined, location: undefined, kubeconfig });
  expect(haveGrpc(google.loaded)).toBe(false);
  expect(bytesOf(google.loaded)).toBeLessThan(1_250_000);
  expect(bytesOf(own.loaded)).toBeLessThan(1_050_000);
});

test("a run with nothing to change starts kubectl alone, for its version and for all requests", async () => {
  await cluster.deploy(NAMESPACE);
  const { result, programs, loaded } = await watched(cluster.inputs(NAMESPACE));
  expect(result.outputs.changed).toBe("false");
  expect(result.lines.join("\n")).toMatch(/^Milvus \S+ answers through the load balancer\.$/m);
  expect(programs.sort()).toEqual(["kubectl proxy", "kubectl version json"]);
  // gRPC, without the library that makes certificates.
  expect(haveGrpc(loaded)).toBe(true);
  expect(bytesOf(loaded)).toBeLessThan(1_200_000);
});
