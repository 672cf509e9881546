import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { killProcessesOf } from "../../local-gke/control-plane/processes.ts";
import { useCluster } from "./support/cluster.ts";
import type { Job, Step } from "./support/job.ts";
import { untilRollout } from "./support/pods.ts";
import { contentBelow, filesBelow, traces } from "./support/traces.ts";
import { watchPrograms } from "./support/watch-programs.ts";

const cluster = useCluster();

const STORAGE_KEY = "marker-of-a-storage-key";

describe.concurrent("no secret of a run is left anywhere", () => {
  test.each<{
    ending: string;
    pods?: object;
    helm_timeout?: string;
    error: RegExp | undefined;
    end?: (step: Step, job: Job) => Promise<void>;
  }>([
    { ending: "success", error: undefined },
    {
      ending: "failure",
      pods: { "local-gke/pod": "crash-loop" },
      helm_timeout: "12s",
      error: /CrashLoopBackOff/,
    },
    {
      ending: "cancellation",
      pods: { "local-gke/ready-after": "1h" },
      error: /was cancelled/,
      end: async (step) => step.kill("SIGINT"),
    },
    {
      ending: "kill",
      pods: { "local-gke/ready-after": "1h" },
      error: undefined,
      async end(step, job) {
        step.kill("SIGKILL");
        await step.ended;
        await killProcessesOf(job.directory);
      },
    },
  ])("after $ending", async ({ ending, pods = {}, helm_timeout = "30s", error, end }) => {
    const namespace = `secrets-${ending}`;
    await cluster.installSmall(namespace);
    const job = await cluster.job({ environment: { GOOGLE_APPLICATION_CREDENTIALS: "" } });
    const credentials = await readFile(join(cluster.gke.directory, "service-account-key.json"), "utf8");
    const programs = watchPrograms(job);
    const step = job.start(
      cluster.inputs(namespace, {
        credentials_json: credentials,
        values: JSON.stringify({ externalS3: { accessKey: STORAGE_KEY }, annotations: pods }),
        helm_timeout,
      }),
    );
    await step.line(/Look and plan/);
    const tokenFile = filesBelow(job.temp).find((file) => basename(file) === "token") ?? "";
    const token = readFileSync(tokenFile, "utf8");
    if (end) {
      await untilRollout(cluster, namespace);
      await end(step, job);
    }
    const main = await step.ended;
    programs.stop();
    const post = await job.post();

    expect(main.errors).toEqual(error ? [expect.stringMatching(error)] : []);
    expect(token).toMatch(/^ya29\./);
    expect([...programs.seen.programs]).toEqual(expect.arrayContaining(["helm", "kubectl"]));
    const key: string = JSON.parse(credentials).private_key.split("\n")[1];
    const secrets = { token, key, storage: STORAGE_KEY, milvus: "root:Milvus" };
    const places = {
      log: traces(main),
      "post step": traces(post),
      programs: [...programs.seen.texts].join("\n"),
      disk: contentBelow(job.directory),
    };
    const found = Object.entries(secrets).flatMap(([secret, text]) =>
      Object.entries(places).flatMap(([place, content]) =>
        content.includes(text) ? [`${secret} in ${place}`] : [],
      ),
    );
    expect(found).toEqual([]);
    expect(readdirSync(job.temp)).toEqual([]);
  });
});
