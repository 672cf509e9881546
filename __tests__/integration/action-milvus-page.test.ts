import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFailed, test } from "vitest";
import { parse, stringify } from "yaml";
import { CHART, HOST, useCluster } from "./support/cluster.ts";
import { BACKEND_CONFIG, CERTIFICATE, INGRESS } from "./support/names.ts";
import { backendConfig, expectAdopted, ingressOfThePage, MANAGED_CERTIFICATES } from "./support/page.ts";
import { expectSuccess, planOf } from "./support/results.ts";

// The page's values may have switched authentication off.
const cluster = useCluster(() => ({ allow_anonymous: "true" }));

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
    await cluster.helm("upgrade", "my-release", CHART, ...flags);
  },
  tlsMode: async (namespace: string) => {
    const tls = "extraConfigFiles:\n  user.yaml: |+\n    common:\n      security:\n        tlsMode: 1\n";
    await cluster.helmWith(tls, "upgrade", "my-release", CHART, "-n", namespace, "-f", "-");
  },
  BackendConfig: async (namespace: string) => {
    await cluster.apply(
      backendConfig(namespace, { healthCheck: { port: 9091, requestPath: "/healthz", type: "HTTP" } }),
    );
  },
  annotations: async (namespace: string) => {
    for (const annotation of [
      `cloud.google.com/app-protocols={"milvus": "HTTP2"}`,
      `cloud.google.com/backend-config={"default": "${BACKEND_CONFIG}"}`,
      `cloud.google.com/neg={"ingress": true}`,
    ]) {
      await cluster.kubectl("annotate", "service", INGRESS, "-n", namespace, annotation);
    }
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
  const LOST = ["cluster", "externalS3", AUTHORIZATION, "minio", "pulsarv3", "woodpecker"];
  const prefixes: StepName[][] = [
    ...COMMON.map((_, index) => COMMON.slice(0, index + 1)),
    [...COMMON, "self-managed certificate"],
    [...COMMON, "self-managed certificate", "the Ingress"],
    [...COMMON, "ManagedCertificate"],
    [...COMMON, "ManagedCertificate", "the ManagedCertificate's Ingress"],
  ];

  test.each(prefixes.map((steps, index) => ({ last: steps.at(-1), steps, namespace: `page-${index + 1}` })))(
    "as far as $last: taken over without a failed revision",
    async ({ steps, namespace }) => {
      await cluster.install(namespace);
      for (const step of steps) await STEPS[step](namespace);
      const before = (await cluster.revisions(namespace)).length;

      const first = await cluster.deploy(namespace);
      expect(first.outputs).toMatchObject({ changed: "true", milvus_version: expect.stringMatching(/\d/) });
      await expectAdopted(cluster, namespace);
      const taken = planOf(first).objects.filter(({ action }) => action === "take over");
      const byHand: string[] = steps.flatMap((step) => {
        if (step === "BackendConfig") return ["BackendConfig"];
        if (step === "self-managed certificate") return ["Secret"];
        return step.endsWith("Ingress") ? ["Ingress"] : [];
      });
      expect(taken.map(({ kind }) => kind).sort()).toEqual(byHand.sort());

      expect(
        planOf(first)
          .lost.map(({ path }) => path)
          .sort(),
      ).toEqual(LOST.toSorted());
      const warning = first.lines.find((line) =>
        line.startsWith("::warning title=Milvus on GKE::Former revisions"),
      );
      for (const text of [...LOST, "revision 1", "helm get values my-release", "--revision 1"]) {
        expect(warning).toContain(text);
      }
      expect(planOf(first).lost.every(({ revision }) => revision === 1)).toBe(true);
      expect(first.summary).toContain("| `externalS3` | 1 |");

      await cluster.expectUnchanged(namespace);
      const revisions = await cluster.revisions(namespace);
      expect(revisions).toEqual([...Array.from({ length: before }, () => "superseded"), "deployed"]);
    },
  );

  test("the values of the revision that the warning names give back what its steps have lost", async () => {
    const namespace = "given-back";
    await cluster.install(namespace);
    const original = await cluster.values(namespace);
    for (const step of COMMON) await STEPS[step](namespace);
    const told = await cluster.plan(namespace);
    const revision = String(planOf(told).lost[0]?.revision);

    const flags = ["my-release", "-n", namespace, "--revision", revision, "-o", "yaml"];
    const { service: _, ...values } = parse(await cluster.helm("get", "values", ...flags));
    const result = await cluster.deploy(namespace, { values: stringify(values) });
    expect(planOf(result).lost).toEqual([]);
    expect(result.lines).not.toContainEqual(expect.stringContaining("Former revisions"));
    const { service: __, extraConfigFiles, ...rest } = await cluster.values(namespace);
    const { service: ___, extraConfigFiles: ____, ...wanted } = original;
    expect(rest).toEqual(wanted);
    expect(extraConfigFiles).toEqual({
      "user.yaml": expect.stringMatching(/authorizationEnabled: true[\s\S]*tlsMode: 1/),
    });
  });
});

test("the chart's own Ingress goes and ours comes, in one run", async () => {
  const namespace = "replaced-ingress";
  const ingress = {
    enabled: true,
    annotations: { "kubernetes.io/ingress.class": "gce" },
    rules: [{ host: HOST, path: "/", pathType: "Prefix" }],
  };
  await cluster.installSmall(namespace, { ingress });
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
  const planned = await cluster.plan(namespace, inputs);
  const says = "of the chart goes, and its load balancer at";
  expect(planned.summary).toContain(says);
  const changes = planOf(planned).objects.filter(({ kind }) => kind === "Ingress");
  expect(changes.map(({ action }) => action)).toEqual(["delete", "create"]);

  const cut = await cluster.failure(namespace, { ...inputs, address_timeout: "1s" });
  expect(cut.error).toContain(`Ingress ${namespace}/${INGRESS} is still there 1.0s after it was deleted.`);
  expect(cut.error).toContain("example.com/hold");
  expect(cut.lines).toContainEqual(expect.stringContaining(says));
  expect(cut.summary).toContain(says);

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
