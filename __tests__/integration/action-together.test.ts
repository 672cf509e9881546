import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { authorityIn } from "../../src/loadbalancer/certificate.ts";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";
import { CERTIFICATE, QUERY_NODE } from "./support/names.ts";
import { serveCharts } from "./support/repository.ts";
import { expectSuccess } from "./support/results.ts";

const cluster = useCluster();

const RUNS = ["a", "b"] as const;
/** Of the run that came second, and was not told to wait. */
const REFUSED = /another (Helm )?run is at work on the release/;

/** Values of one run, none of which the other has. */
function valuesOf(run: string): string {
  return JSON.stringify({ annotations: { [`example.com/${run}`]: run } });
}

describe.each(["never", "10m"])("two runs at the same moment, recover_pending: %s", (recover) => {
  const namespace = `together-${recover}`;
  const results: StepResult[] = [];
  const succeeded = () => RUNS.filter((_, index) => results[index]?.exitCode === 0);

  beforeAll(async () => {
    await cluster.installSmall(namespace);
    const jobs = await Promise.all(RUNS.map(() => cluster.job()));
    const steps = jobs.map((job, index) =>
      job.start(cluster.inputs(namespace, { recover_pending: recover, values: valuesOf(RUNS[index] ?? "") })),
    );
    results.push(...(await Promise.all(steps.map(({ ended }) => ended))));
  });

  test("one at least succeeds; the other one too, or it says that it was not alone", () => {
    const failed = results.filter(({ exitCode }) => exitCode !== 0);
    expect(failed.length, JSON.stringify(results.map(({ errors }) => errors))).toBeLessThan(2);
    for (const { errors } of failed) expect(errors).toEqual([expect.stringMatching(REFUSED)]);
    if (recover !== "never") expect(failed.map(({ errors }) => errors)).toEqual([]);
  });

  test("the history is whole", async () => {
    const revisions = await cluster.revisions(namespace);
    expect(revisions).toEqual([...revisions.slice(0, -1).map(() => "superseded"), "deployed"]);
    expect(revisions).toHaveLength(1 + succeeded().length);
  });

  test("the release has the values of all runs that succeeded, beside its own", async () => {
    const runs = succeeded();
    const { annotations, extraConfigFiles, externalS3 } = await cluster.values(namespace);
    expect(annotations).toEqual(Object.fromEntries(runs.map((run) => [`example.com/${run}`, run])));
    expect(externalS3).toMatchObject({ bucketName: "my-milvus-bucket" });
    expect(parse(Object(extraConfigFiles)["user.yaml"])).toMatchObject({
      common: { security: { authorizationEnabled: true, tlsMode: 1 } },
    });
  });

  test("the authority in a run's outputs has signed what is served", async () => {
    const { data } = await cluster.get(namespace, "Secret", CERTIFICATE);
    const authority = authorityIn(Buffer.from(data?.["tls.crt"] ?? "", "base64").toString());
    for (const { exitCode, outputs } of results) {
      if (exitCode === 0) expect(outputs.ca_certificate).toBe(authority);
    }
  });

  test("the next run finds nothing to do", async () => {
    await cluster.expectUnchanged(namespace);
  });
});

// What follows is alike with each Helm: once is enough.
if (HELM === "helm4") {
  test("two first installations at the same moment: the later one waits, and goes on from the other", async () => {
    const namespace = "installed-together";
    await cluster.kubectl("create", "namespace", namespace);
    const jobs = await Promise.all(RUNS.map(() => cluster.job()));
    const inputs = {
      install: "true",
      allow_anonymous: "true",
      recover_pending: "10m",
      wait_for: "none",
    };
    const steps = jobs.map((job, index) => {
      const own = valuesOf(RUNS[index] ?? "").slice(1);
      const values = `{"cluster":{"enabled":false},"etcd":{"enabled":false},${own}`;
      return job.start(cluster.inputs(namespace, { ...inputs, values }));
    });
    for (const { ended } of steps) expectSuccess(await ended);
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "deployed"]);
    const { annotations } = await cluster.values(namespace);
    expect(annotations).toEqual(Object.fromEntries(RUNS.map((run) => [`example.com/${run}`, run])));
  });

  describe("what somebody else does between a run's plan and its upgrade is noticed, and kept", () => {
    /** Runs the action, which must succeed, and does something after its look. */
    async function runWith(
      namespace: string,
      inputs: Record<string, string>,
      act: () => Promise<unknown>,
    ): Promise<StepResult> {
      const looked = Promise.withResolvers<void>();
      const over = Promise.withResolvers<void>();
      // The chart is fetched after the look, and before anything is changed.
      const { url, close } = await serveCharts(cluster, [await chartVersion()], async () => {
        looked.resolve();
        await over.promise;
      });
      try {
        const repository = { chart: "milvus", chart_repository: url };
        const run = await cluster.start(namespace, { ...repository, ...inputs });
        await looked.promise;
        await act();
        over.resolve();
        return expectSuccess(await run.ended);
      } finally {
        close();
      }
    }

    test("an upgrade", async () => {
      const namespace = "overtaken";
      await cluster.installSmall(namespace);
      const { lines, outputs } = await runWith(namespace, { wait_for: "none" }, () => {
        const values = { extraConfigFiles: { "user.yaml": "dataCoord:\n  segment:\n    maxSize: 2048\n" } };
        const flags = ["-n", namespace, "--reuse-values", "--values", "-"];
        return cluster.helmWith(JSON.stringify(values), "upgrade", "my-release", CHART, ...flags);
      });
      expect(outputs).toMatchObject({ changed: "true", release_revision: "3" });
      expect(lines.join("\n")).toContain("this run planned from revision 1; the newest revision is 2");
      const { extraConfigFiles } = await cluster.values(namespace);
      expect(parse(Object(extraConfigFiles)["user.yaml"])).toMatchObject({
        dataCoord: { segment: { maxSize: 2048 } },
        common: { security: { tlsMode: 1 } },
      });
    });

    test("another number of pods", async () => {
      const namespace = "scaled-meanwhile";
      await cluster.installSmall(namespace, { cluster: { enabled: true } });
      const { lines, outputs } = await runWith(namespace, { wait_for: "none" }, () =>
        cluster.kubectl("scale", `deployment/${QUERY_NODE}`, "-n", namespace, "--replicas=3"),
      );
      expect(outputs).toMatchObject({ changed: "true", release_revision: "2" });
      expect(lines).toContain(`Why: Deployment ${QUERY_NODE}: spec.replicas`);
      const { spec } = await cluster.get(namespace, "Deployment", QUERY_NODE);
      expect(spec).toMatchObject({ replicas: 3 });
    });
  });
}

async function chartVersion(): Promise<string> {
  return parse(await readFile(join(CHART, "Chart.yaml"), "utf8")).version;
}
