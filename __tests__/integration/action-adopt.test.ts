import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { parse, stringify } from "yaml";
import { certificateWith, DAY } from "../support/certificates.ts";
import { secretWith } from "./support/certificates.ts";
import { type ApiObject, CHART, HOST, inputsFor, TestCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

const FIELD_MANAGER = "milvus-gke-load-balancer";
const INGRESS = "my-release-milvus";
const BACKEND_CONFIG = "my-release-backendconfig";
const CERTIFICATE = "my-release-milvus-tls";
const OBJECTS = { Ingress: INGRESS, BackendConfig: BACKEND_CONFIG, Secret: CERTIFICATE };
const MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates";
/** What `kubectl apply` leaves on an object. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

const ingressOfThePage = (namespace: string, metadata: object, spec: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: INGRESS, namespace, ...metadata },
  spec: {
    rules: [
      {
        host: HOST,
        http: {
          paths: [
            {
              path: "/",
              pathType: "Prefix",
              backend: { service: { name: INGRESS, port: { number: 19530 } } },
            },
          ],
        },
      },
    ],
    ...spec,
  },
});
const backendConfig = (namespace: string, spec: object) => ({
  apiVersion: "cloud.google.com/v1",
  kind: "BackendConfig",
  metadata: { name: BACKEND_CONFIG, namespace },
  spec,
});

/** Does what `kubectl apply -f` does. */
function apply(object: object, ...flags: string[]): Promise<string> {
  return cluster.kubectlWith(JSON.stringify(object), "apply", "-f", "-", ...flags);
}

/** Makes a certificate as Milvus's page says: without a name that clients look at, and good until the year 2300. */
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
    await apply(
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
    await apply(ingressOfThePage(namespace, {}, { tls }));
  },
  ManagedCertificate: async (namespace: string) => {
    await apply({
      apiVersion: "networking.gke.io/v1",
      kind: "ManagedCertificate",
      metadata: { name: CERTIFICATE, namespace },
      spec: { domains: [HOST] },
    });
  },
  "the ManagedCertificate's Ingress": async (namespace: string) => {
    const annotations = { [MANAGED_CERTIFICATES]: CERTIFICATE };
    await apply(ingressOfThePage(namespace, { annotations }, {}));
  },
};
type StepName = keyof typeof STEPS;
const COMMON: StepName[] = ["service.type", "tlsMode", "BackendConfig", "annotations"];

interface Plan {
  objects: { kind: string; name: string; action: string; fields?: { path: string }[] }[];
  consequences: string[];
  lost: { path: string; revision: number }[];
}

function planOf({ outputs }: StepResult): Plan {
  return JSON.parse(outputs.plan ?? "");
}

function managersOf({ metadata }: ApiObject): string[] {
  return metadata.managedFields.map(({ manager }) => manager);
}

async function deploy(namespace: string, inputs: Record<string, string> = {}): Promise<StepResult> {
  // The page's values switch authentication off.
  const common = { ...inputsFor(namespace), allow_anonymous: "true" };
  const result = await (await cluster.job()).main({ ...common, ...inputs });
  expect(result.errors, result.lines.join("\n")).toEqual([]);
  expect(result.exitCode).toBe(0);
  return result;
}

/** Expects that everything in front of the release is this action's, and as it would have made it itself. */
async function expectAdopted(namespace: string): Promise<void> {
  for (const [kind, name] of Object.entries(OBJECTS)) {
    const object = await cluster.get(namespace, kind, name);
    expect(managersOf(object)).toContain(FIELD_MANAGER);
    expect(managersOf(object)).not.toContainEqual(expect.stringMatching(/^(kubectl|before-first-apply)/));
    expect(object.metadata.annotations ?? {}).not.toHaveProperty([LAST_APPLIED]);
  }
  const ingress = await cluster.get(namespace, "Ingress", INGRESS);
  expect(ingress.metadata.annotations).toMatchObject({
    "kubernetes.io/ingress.class": "gce",
    "kubernetes.io/ingress.allow-http": "false",
  });
  expect(ingress.metadata.annotations).not.toHaveProperty([MANAGED_CERTIFICATES]);
  expect(ingress.metadata.annotations).not.toHaveProperty(["ingress.gcp.kubernetes.io/pre-shared-cert"]);
  expect(ingress.spec).toMatchObject({ tls: [{ hosts: [HOST], secretName: CERTIFICATE }] });
  expect((await cluster.get(namespace, "BackendConfig", BACKEND_CONFIG)).spec).toMatchObject({
    timeoutSec: 3600,
    healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz", checkIntervalSec: 15 },
  });
  const secret = await cluster.get(namespace, "Secret", CERTIFICATE);
  const pem = Buffer.from(secret.data?.["tls.crt"] ?? "", "base64");
  expect(new X509Certificate(pem).subjectAltName).toBe(`DNS:${HOST}`);
  const service = await cluster.get(namespace, "Service", INGRESS);
  expect(service.metadata.annotations).toMatchObject({
    "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
    "cloud.google.com/backend-config": `{"default":"${BACKEND_CONFIG}"}`,
    "cloud.google.com/neg": '{"ingress":true}',
  });
}

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

      const first = await deploy(namespace);
      expect(first.outputs).toMatchObject({ changed: "true", milvus_version: expect.stringMatching(/\d/) });
      await expectAdopted(namespace);
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

      const second = await deploy(namespace);
      expect(second.outputs.changed, second.lines.join("\n")).toBe("false");
      const revisions = await cluster.revisions(namespace);
      expect(revisions).toEqual([...Array.from({ length: before }, () => "superseded"), "deployed"]);
    },
  );

  test("what its steps have lost is given back by the values of the revision that is told", async () => {
    const namespace = "given-back";
    await cluster.install(namespace);
    const original = await cluster.values(namespace);
    for (const step of COMMON) await STEPS[step](namespace);
    const told = await deploy(namespace, { mode: "plan" });
    const revision = String(planOf(told).lost[0]?.revision);

    const flags = ["my-release", "-n", namespace, "--revision", revision, "-o", "yaml"];
    const { service: _, ...values } = parse(await cluster.helm("get", "values", ...flags));
    const result = await deploy(namespace, { values: stringify(values) });
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

describe.concurrent("an object of somebody else's", () => {
  const server = ["--server-side", "--field-manager"];
  const otherPath = { path: "/", pathType: "Prefix" };
  const cases: {
    what: string;
    namespace: string;
    object: (namespace: string) => object;
    flags: string[];
    says: string[];
  }[] = [
    {
      what: "an Ingress of Argo CD's",
      namespace: "argo-ingress",
      object: (namespace) => ingressOfThePage(namespace, {}, {}),
      flags: [...server, "argocd-controller"],
      says: [`Ingress argo-ingress/${INGRESS}`, "argocd-controller", "ingress_name"],
    },
    {
      what: "a BackendConfig of Argo CD's",
      namespace: "argo-backend-config",
      object: (namespace) => backendConfig(namespace, { timeoutSec: 40 }),
      flags: [...server, "argocd-controller"],
      says: [
        `BackendConfig argo-backend-config/${BACKEND_CONFIG}`,
        "argocd-controller",
        "backend_config_name",
      ],
    },
    {
      what: "a BackendConfig of a Helm release's",
      namespace: "helm-backend-config",
      object: (namespace) => ({
        ...backendConfig(namespace, { timeoutSec: 40 }),
        metadata: {
          name: BACKEND_CONFIG,
          namespace,
          labels: { "app.kubernetes.io/managed-by": "Helm" },
          annotations: {
            "meta.helm.sh/release-name": "networking",
            "meta.helm.sh/release-namespace": namespace,
          },
        },
      }),
      flags: [...server, "helm"],
      says: ["it belongs to Helm release helm-backend-config/networking"],
    },
    {
      what: "a Secret of cert-manager's",
      namespace: "cert-manager-secret",
      object: (namespace) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: {
          name: CERTIFICATE,
          namespace,
          annotations: { "cert-manager.io/certificate-name": CERTIFICATE },
          labels: { "controller.cert-manager.io/fao": "true" },
        },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": "-", "tls.key": "-" },
      }),
      flags: [...server, "cert-manager-certificates-issuing"],
      says: [
        `Secret cert-manager-secret/${CERTIFICATE}`,
        "cert-manager-certificates-issuing",
        "certificate: secret",
      ],
    },
    {
      what: "a hand-made Ingress that leads elsewhere",
      namespace: "other-ingress",
      object: (namespace) => ({
        ...ingressOfThePage(namespace, {}, {}),
        spec: {
          rules: [
            {
              host: HOST,
              http: {
                paths: [{ ...otherPath, backend: { service: { name: "attu", port: { number: 3000 } } } }],
              },
            },
          ],
        },
      }),
      flags: [],
      says: ["kubectl-client-side-apply", "not as Milvus's page describes it", "ingress_name"],
    },
    {
      what: "a hand-made BackendConfig with a policy of Cloud Armor",
      namespace: "armored",
      object: (namespace) => backendConfig(namespace, { securityPolicy: { name: "my-policy" } }),
      flags: [],
      says: ["kubectl-client-side-apply", "not as Milvus's page describes it", "backend_config_name"],
    },
  ];

  test.each(cases)("$what", async ({ namespace, object, flags, says }) => {
    await cluster.installSmall(namespace);
    await apply(object(namespace), ...flags);
    const refused = await (await cluster.job()).main(inputsFor(namespace));
    expect(refused.errors, refused.lines.join("\n")).toHaveLength(1);
    for (const text of ["belongs to somebody else; nothing was changed.", "adopt: true", ...says]) {
      expect(refused.errors[0]).toContain(text);
    }
    expect(refused.outputs.changed).toBe("false");
    expect(await cluster.writes(namespace)).toEqual([]);

    const inputs = { adopt: "true", wait_for: "none" };
    expect((await deploy(namespace, inputs)).outputs.changed).toBe("true");
    await expectAdopted(namespace);
    for (const [kind, name] of Object.entries(OBJECTS)) {
      const managers = managersOf(await cluster.get(namespace, kind, name));
      expect(managers).not.toContainEqual(expect.stringMatching(/^(argocd|helm|cert-manager)/));
    }
    const again = await deploy(namespace, { wait_for: "none" });
    expect(again.outputs.changed, again.lines.join("\n")).toBe("false");
  });
});

test("an Ingress and a BackendConfig of ours that someone has edited are mended, and keep what was added", async () => {
  const namespace = "edited";
  await cluster.installSmall(namespace);
  const inputs = { wait_for: "none" };
  await deploy(namespace, inputs);
  await expectAdopted(namespace);
  const patch = (kind: string, name: string, change: object) =>
    cluster.kubectl("patch", kind, name, "-n", namespace, "--type=merge", "--patch", JSON.stringify(change));
  await patch("ingress", INGRESS, {
    metadata: { annotations: { "kubernetes.io/ingress.allow-http": "true", "example.com/owner": "me" } },
    spec: { rules: [{ host: "other.example" }], tls: null },
  });
  const securityPolicy = { name: "my-policy" };
  await patch("backendconfig", BACKEND_CONFIG, {
    spec: { healthCheck: { port: 80 }, timeoutSec: null, securityPolicy },
  });

  const mended = await deploy(namespace, inputs);
  expect(planOf(mended).objects).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: "Ingress", name: INGRESS, action: "change" }),
      expect.objectContaining({ kind: "BackendConfig", name: BACKEND_CONFIG, action: "change" }),
    ]),
  );
  const { spec, metadata } = await cluster.get(namespace, "Ingress", INGRESS);
  expect(spec).toMatchObject({ rules: [{ host: HOST }], tls: [{ secretName: CERTIFICATE }] });
  expect(metadata.annotations).toMatchObject({
    "kubernetes.io/ingress.allow-http": "false",
    "example.com/owner": "me",
  });
  expect((await cluster.get(namespace, "BackendConfig", BACKEND_CONFIG)).spec).toMatchObject({
    healthCheck: { port: 9091 },
    timeoutSec: 3600,
    securityPolicy,
  });
  expect((await deploy(namespace, inputs)).outputs.changed).toBe("false");
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

  const inputs = { ...inputsFor(namespace), values: "ingress: {enabled: false}" };
  const planned = await (await cluster.job()).main({ ...inputs, mode: "plan" });
  const says = "of the chart goes, and its load balancer at";
  expect(planned.errors).toEqual([]);
  expect(planned.summary).toContain(says);
  const changes = planOf(planned).objects.filter(({ kind }) => kind === "Ingress");
  expect(changes.map(({ action }) => action)).toEqual(["delete", "create"]);

  const cut = await (await cluster.job()).main({ ...inputs, address_timeout: "1s" });
  expect(cut.errors).toHaveLength(1);
  expect(cut.errors[0]).toContain(
    `Ingress ${namespace}/${INGRESS} is still there 1.0s after it was deleted.`,
  );
  expect(cut.errors[0]).toContain("example.com/hold");
  expect(cut.lines).toContainEqual(expect.stringContaining(says));
  expect(cut.summary).toContain(says);

  // Like a run that comes after one that was killed: the Ingress is on its way out.
  const step = (await cluster.job()).start(inputs);
  await step.line(/Wait until the chart's Ingress is gone/);
  await finalizers();
  const result = await step.ended;
  expect(result.errors, result.lines.join("\n")).toEqual([]);
  expect(result.outputs).toMatchObject({ authentication: "required", changed: "true" });
  const after = await cluster.get(namespace, "Ingress", INGRESS);
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
  await expectAdopted(namespace);
  expect((await deploy(namespace, { values: inputs.values })).outputs.changed).toBe("false");
});

describe("an Ingress made by hand with more than Milvus's page has", () => {
  const namespace = "hand-made";
  const STATIC = "kubernetes.io/ingress.global-static-ip-name";
  const FRONTEND_CONFIG = "networking.gke.io/v1beta1.FrontendConfig";
  const securityPolicy = { name: "corp-policy" };
  const tls = [{ hosts: [HOST], secretName: "corp-tls" }];

  beforeAll(async () => {
    await cluster.installSmall(namespace);
    const from = Date.now() - DAY;
    const authority = await certificateWith({ subject: "CN=Corp", days: 900, from, isAuthority: true });
    const leaf = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 90, from }, authority);
    const chain = `${leaf.certificate}${authority.certificate}`;
    await Promise.all([
      cluster.control("PUT", "static-addresses/corp-address"),
      cluster.control("PUT", "security-policies/corp-policy"),
      cluster.control("PUT", "ssl-policies/corp-ssl-policy"),
      apply(secretWith(namespace, "corp-tls", { certificate: chain, privateKey: leaf.privateKey })),
      apply({
        apiVersion: "networking.gke.io/v1beta1",
        kind: "FrontendConfig",
        metadata: { name: "corp-frontend", namespace },
        spec: { sslPolicy: "corp-ssl-policy" },
      }),
      apply(backendConfig(namespace, { securityPolicy })),
    ]);
    const annotations = { [STATIC]: "corp-address", [FRONTEND_CONFIG]: "corp-frontend" };
    const other = ingressOfThePage(namespace, {}, {}).spec.rules[0];
    const rules = [other, { ...other, host: "other.milvus.io" }];
    await apply(ingressOfThePage(namespace, { annotations }, { tls, rules }));
  });

  const fieldsOf = (result: StepResult) =>
    planOf(result).objects.map(({ kind, action, fields = [] }) => [
      kind,
      action,
      fields.map(({ path }) => path),
    ]);

  test("is taken over with consent only, and keeps its certificate, address, policies and hosts in all runs", async () => {
    const refused = await (await cluster.job()).main(inputsFor(namespace));
    expect(refused.errors).toHaveLength(1);
    for (const text of [
      "adopt: true",
      "spec.securityPolicy",
      "spec.tls",
      STATIC,
      FRONTEND_CONFIG,
      "spec.rules[other.milvus.io]",
    ]) {
      expect(refused.errors[0]).toContain(text);
    }
    expect(await cluster.writes(namespace)).toEqual([]);

    const planned = await deploy(namespace, { adopt: "true", mode: "plan" });
    const taken = await deploy(namespace, { adopt: "true", backends_timeout: "1m" });
    const again = await deploy(namespace);
    expect(taken.outputs).toMatchObject({ changed: "true", authentication: "required" });
    expect(again.outputs).toMatchObject({ changed: "false", authentication: "required" });
    for (const result of [planned, taken]) {
      expect(fieldsOf(result)).toEqual(
        expect.arrayContaining([
          [
            "BackendConfig",
            "take over",
            expect.arrayContaining(["spec.healthCheck", "spec.timeoutSec", "spec.connectionDraining"]),
          ],
          [
            "Ingress",
            "take over",
            expect.arrayContaining(['metadata.annotations["kubernetes.io/ingress.class"]']),
          ],
        ]),
      );
      const log = result.lines.join("\n");
      expect(log).toContain("- spec.timeoutSec: nothing -> 3600");
      expect(log).not.toContain("- spec.tls");
    }
    for (const result of [planned, taken, again]) {
      expect(planOf(result).consequences).toContainEqual(
        expect.stringMatching(
          /^Ingress my-release-milvus keeps .*: .*spec\.tls, spec\.rules\[other\.milvus\.io\]\.$/,
        ),
      );
    }

    const { spec, metadata } = await cluster.get(namespace, "Ingress", INGRESS);
    expect(spec).toMatchObject({ tls, rules: [{ host: HOST }, { host: "other.milvus.io" }] });
    expect(metadata.annotations).toMatchObject({
      [STATIC]: "corp-address",
      [FRONTEND_CONFIG]: "corp-frontend",
    });
    expect((await cluster.get(namespace, "BackendConfig", BACKEND_CONFIG)).spec).toMatchObject({
      securityPolicy,
      healthCheck: { port: 9091 },
    });

    // An input that says otherwise wins, and leaves the rest.
    const own = await deploy(namespace, { certificate: "self-managed" });
    expect(own.lines.join("\n")).toContain("- spec.tls[0].secretName: corp-tls -> my-release-milvus-tls");
    const after = await cluster.get(namespace, "Ingress", INGRESS);
    expect(after.spec).toMatchObject({ tls: [{ secretName: CERTIFICATE }], rules: spec && [{}, {}] });
    expect(after.metadata.annotations).toMatchObject({ [STATIC]: "corp-address" });
  });
});
