import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { parse, stringify } from "yaml";
import { chartWith } from "./support/charts.ts";
import { HELM, HOST, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";
import { BACKEND_CONFIG, CERTIFICATE, INGRESS } from "./support/names.ts";
import { backendConfig, expectAdopted, ingressOfThePage, MANAGED_CERTIFICATES } from "./support/page.ts";
import { expectSuccess, planOf } from "./support/results.ts";

// The page's values may have switched authentication off.
const cluster = useCluster(() => ({ allow_anonymous: "true", chart }));
let chart: string;
beforeAll(async () => {
  // The page's steps go back to the chart's defaults: here with the one pod of a small release.
  const parts = /^(cluster|etcd|minio|pulsarv3):\n {2}enabled: true$/gm;
  chart = await chartWith(cluster, "values.yaml", parts, "$1:\n  enabled: false");
});

/**
 * Makes a certificate as Milvus's page says: without a name that clients look at,
 * and good until the year 2300.
 */
async function certificateOfThePage(): Promise<string> {
  const cwd = await mkdtemp(join(cluster.gke.directory, "page-"));
  const openssl = (...args: string[]) => promisify(execFile)("openssl", args, { cwd });
  await openssl("genrsa", "-out", "tls.key", "2048");
  await openssl("req", "-new", "-key", "tls.key", "-out", "tls.csr", "-subj", `/CN=${HOST}`);
  const signing = ["-in", "tls.csr", "-signkey", "tls.key", "-out", "tls.crt"];
  await openssl("x509", "-req", "-days", "99999", ...signing);
  return cwd;
}

/** What Milvus's page has its readers type, in its order. */
const STEPS = {
  "service.type": async (namespace: string) => {
    const flags = ["-n", namespace, "--set", "service.type=ClusterIP"];
    await cluster.helm("upgrade", "my-release", chart, ...flags);
  },
  tlsMode: async (namespace: string) => {
    const tls = "extraConfigFiles:\n  user.yaml: |+\n    common:\n      security:\n        tlsMode: 1\n";
    await cluster.helmWith(tls, "upgrade", "my-release", chart, "-n", namespace, "-f", "-");
  },
  BackendConfig: async (namespace: string) => {
    await cluster.apply(
      backendConfig(namespace, { healthCheck: { port: 9091, requestPath: "/healthz", type: "HTTP" } }),
    );
  },
  annotations: async (namespace: string) => {
    const annotations = [
      `cloud.google.com/app-protocols={"milvus": "HTTP2"}`,
      `cloud.google.com/backend-config={"default": "${BACKEND_CONFIG}"}`,
      `cloud.google.com/neg={"ingress": true}`,
    ];
    await cluster.kubectl("annotate", "service", INGRESS, "-n", namespace, ...annotations);
  },
  "self-managed certificate": async (namespace: string) => {
    const folder = await certificateOfThePage();
    const pair = [`--cert=${folder}/tls.crt`, `--key=${folder}/tls.key`];
    await cluster.kubectl("create", "secret", "tls", CERTIFICATE, "-n", namespace, ...pair);
  },
  "the Ingress": async (namespace: string) => {
    const tls = [{ hosts: [HOST], secretName: CERTIFICATE }];
    await cluster.apply(ingressOfThePage(namespace, {}, { tls }));
  },
  ManagedCertificate: async (namespace: string) => {
    await cluster.apply({
      apiVersion: "networking.gke.io/v1",
      kind: "ManagedCertificate",
      metadata: { name: CERTIFICATE, namespace },
      spec: { domains: [HOST] },
    });
  },
  "the ManagedCertificate's Ingress": async (namespace: string) => {
    const annotations = { [MANAGED_CERTIFICATES]: CERTIFICATE };
    await cluster.apply(ingressOfThePage(namespace, { annotations }, {}));
  },
};
type StepName = keyof typeof STEPS;
const COMMON: StepName[] = ["service.type", "tlsMode", "BackendConfig", "annotations"];

describe.concurrent("Milvus's page, followed by hand", () => {
  const AUTHORIZATION = 'extraConfigFiles."user.yaml".common.security.authorizationEnabled';
  const PARTS = ["cluster", "etcd", "minio", "pulsarv3", "standalone", "woodpecker"];
  const LOST = ["externalS3", AUTHORIZATION, ...PARTS];

  /** The kinds of the objects that a run takes over from whoever has made them. */
  const takenOver = (result: StepResult) =>
    planOf(result)
      .objects.filter(({ action }) => action === "take over")
      .map(({ kind }) => kind)
      .sort();

  /** Expects that a run names what the page's steps have lost of the first revision's values. */
  function expectLost(result: StepResult): void {
    const { lost } = planOf(result);
    expect(lost.map(({ path }) => path).sort()).toEqual(LOST.toSorted());
    expect(lost.every(({ revision }) => revision === 1)).toBe(true);
    const warning = result.lines.find((line) =>
      line.startsWith("::warning title=Milvus on GKE::Former revisions"),
    );
    for (const text of [...LOST, "revision 1", "helm get values my-release", "--revision 1"]) {
      expect(warning).toContain(text);
    }
    expect(result.summary).toContain("| `externalS3` | 1 |");
  }

  /** The steps after which a pipeline may come, each with those before it. */
  const prefixes: StepName[][] = [
    ...COMMON.map((_, index) => COMMON.slice(0, index + 1)),
    [...COMMON, "self-managed certificate"],
    [...COMMON, "self-managed certificate", "the Ingress"],
    [...COMMON, "ManagedCertificate"],
  ];
  const madeByHand: Partial<Record<StepName, string>> = {
    BackendConfig: "BackendConfig",
    "self-managed certificate": "Secret",
    "the Ingress": "Ingress",
  };

  test.each(prefixes.map((steps, index) => ({ last: steps.at(-1), steps, namespace: `page-${index + 1}` })))(
    "as far as $last: taken over without a failed revision",
    async ({ steps, namespace }) => {
      await cluster.installSmall(namespace, {}, HELM, chart);
      for (const step of steps) await STEPS[step](namespace);
      const before = (await cluster.revisions(namespace)).length;

      const first = await cluster.deploy(namespace);
      expect(first.outputs).toMatchObject({ changed: "true", milvus_version: expect.stringMatching(/\d/) });
      await expectAdopted(cluster, namespace);
      expect(takenOver(first)).toEqual(steps.flatMap((step) => madeByHand[step] ?? []).sort());
      expectLost(first);
      await cluster.expectUnchanged(namespace);
      const revisions = await cluster.revisions(namespace);
      expect(revisions).toEqual([...Array.from({ length: before }, () => "superseded"), "deployed"]);
    },
  );

  // Helm has no part in a ManagedCertificate, and what is lost is the same with each Helm.
  test.runIf(HELM === "helm4")(
    "as far as the ManagedCertificate's Ingress: the values of the revision that the warning names give back what was lost",
    async () => {
      const namespace = "page-managed";
      await cluster.installSmall(namespace, {}, HELM, chart);
      const original = await cluster.values(namespace);
      for (const step of [...COMMON, "ManagedCertificate"] as const) await STEPS[step](namespace);
      const planned = await cluster.plan(namespace);
      expect(takenOver(planned)).toEqual(["BackendConfig"]);
      const revision = String(planOf(planned).lost[0]?.revision);
      await STEPS["the ManagedCertificate's Ingress"](namespace);

      const flags = ["my-release", "-n", namespace, "--revision", revision, "-o", "yaml"];
      const { service: _, ...given } = parse(await cluster.helm("get", "values", ...flags));
      const result = await cluster.deploy(namespace, { values: stringify(given) });
      expect(result.outputs).toMatchObject({ changed: "true", milvus_version: expect.stringMatching(/\d/) });
      await expectAdopted(cluster, namespace);
      expect(takenOver(result)).toEqual(["BackendConfig", "Ingress"]);
      expect(planOf(result).lost).toEqual([]);
      expect(result.lines).not.toContainEqual(expect.stringContaining("Former revisions"));
      const { service: __, extraConfigFiles, ...rest } = await cluster.values(namespace);
      const { service: ___, extraConfigFiles: ____, ...wanted } = original;
      expect(rest).toEqual(wanted);
      expect(extraConfigFiles).toEqual({
        "user.yaml": expect.stringMatching(/authorizationEnabled: true[\s\S]*tlsMode: 1/),
      });

      await cluster.expectUnchanged(namespace);
      const revisions = ["superseded", "superseded", "superseded", "deployed"];
      expect(await cluster.revisions(namespace)).toEqual(revisions);
    },
  );

  test("the chart's own Ingress goes and ours comes, in one run", async () => {
    const namespace = "replaced-ingress";
    const ingress = {
      enabled: true,
      annotations: { "kubernetes.io/ingress.class": "gce" },
      rules: [{ host: HOST, path: "/", pathType: "Prefix" }],
    };
    await cluster.installSmall(namespace, { ingress }, HELM, chart);
    const where = ["ingress", INGRESS, "-n", namespace];
    await cluster.kubectl("wait", ...where, "--for=jsonpath={.status.loadBalancer.ingress}", "--timeout=60s");
    const finalizers = (...more: string[]) =>
      cluster.kubectl(
        "patch",
        ...where,
        "--type=merge",
        "--patch",
        JSON.stringify({ metadata: { finalizers: more } }),
      );
    const held = "networking.gke.io/ingress-finalizer-V2";
    await finalizers(held, "example.com/hold");
    onTestFailed(async () => {
      await finalizers();
    });
    const before = await cluster.get(namespace, "Ingress", INGRESS);

    const inputs = { values: "ingress: {enabled: false}" };
    const cut = await cluster.failure(namespace, { ...inputs, address_timeout: "1s" });
    expect(cut.error).toContain(`Ingress ${namespace}/${INGRESS} is still there 1.0s after it was deleted.`);
    expect(cut.error).toContain("example.com/hold");
    const says = "of the chart goes, and its load balancer at";
    expect(cut.lines).toContainEqual(expect.stringContaining(says));
    expect(cut.summary).toContain(says);
    const changes = planOf(cut).objects.filter(({ kind }) => kind === "Ingress");
    expect(changes.map(({ action }) => action)).toEqual(["delete", "create"]);

    // Like a run that comes after one that was killed: the Ingress is on its way out.
    const step = await cluster.start(namespace, inputs);
    await step.line(/Wait until the chart's Ingress is gone/);
    await finalizers();
    const result = expectSuccess(await step.ended);
    expect(result.outputs).toMatchObject({ authentication: "required", changed: "true" });
    const after = await cluster.get(namespace, "Ingress", INGRESS);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    await expectAdopted(cluster, namespace);
    await cluster.expectUnchanged(namespace, inputs);
  });
});
