import { beforeAll, describe, expect, test } from "vitest";
import { certificateWith, DAY } from "../support/certificates.ts";
import { secretWith } from "./support/certificates.ts";
import { HOST, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";
import { BACKEND_CONFIG, CERTIFICATE, INGRESS } from "./support/names.ts";
import { backendConfig, expectAdopted, ingressOfThePage, managersOf, OBJECTS } from "./support/page.ts";
import { planOf } from "./support/results.ts";

const cluster = useCluster(() => ({ allow_anonymous: "true" }));

describe.concurrent("objects of somebody else's", () => {
  const server = ["--server-side", "--field-manager"];
  const otherPath = { path: "/", pathType: "Prefix" };
  const cases: {
    what: string;
    namespace: string;
    objects: (namespace: string) => { object: object; flags: string[] }[];
    says: string[];
  }[] = [
    {
      what: "an Ingress of Argo CD's, a BackendConfig of a Helm release's, a Secret of cert-manager's",
      namespace: "of-tools",
      objects: (namespace) => [
        { object: ingressOfThePage(namespace, {}, {}), flags: [...server, "argocd-controller"] },
        {
          object: {
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
          },
          flags: [...server, "helm"],
        },
        {
          object: {
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
          },
          flags: [...server, "cert-manager-certificates-issuing"],
        },
      ],
      says: [
        `Ingress of-tools/${INGRESS}`,
        "argocd-controller",
        "ingress_name",
        `BackendConfig of-tools/${BACKEND_CONFIG}`,
        "it belongs to Helm release of-tools/networking",
        "backend_config_name",
        `Secret of-tools/${CERTIFICATE}`,
        "cert-manager-certificates-issuing",
        "certificate: secret",
      ],
    },
    {
      what: "a hand-made Ingress that leads elsewhere, a hand-made BackendConfig with a policy of Cloud Armor",
      namespace: "of-people",
      objects: (namespace) => [
        {
          object: {
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
          },
          flags: [],
        },
        { object: backendConfig(namespace, { securityPolicy: { name: "my-policy" } }), flags: [] },
      ],
      says: [
        `Ingress of-people/${INGRESS}`,
        `BackendConfig of-people/${BACKEND_CONFIG}`,
        "kubectl-client-side-apply",
        "not as Milvus's page describes it",
        "ingress_name",
        "backend_config_name",
      ],
    },
  ];

  test.each(cases)("$what", async ({ namespace, objects, says }) => {
    await cluster.installLayer7(namespace);
    for (const { object, flags } of objects(namespace)) await cluster.apply(object, ...flags);
    const { error } = await cluster.refusal(namespace);
    for (const text of ["belong to somebody else; nothing was changed.", "adopt: true", ...says]) {
      expect(error).toContain(text);
    }

    const inputs = { adopt: "true", wait_for: "none" };
    expect((await cluster.deploy(namespace, inputs)).outputs.changed).toBe("true");
    await expectAdopted(cluster, namespace);
    for (const kind of ["Ingress", "BackendConfig", "Secret"] as const) {
      const managers = managersOf(await cluster.get(namespace, kind, OBJECTS[kind]));
      expect(managers).not.toContainEqual(expect.stringMatching(/^(argocd|helm|cert-manager)/));
    }
    await cluster.expectUnchanged(namespace, { wait_for: "none" });
  });
});

test("an Ingress and a BackendConfig of ours that someone has edited are mended, and keep what was added", async () => {
  const namespace = "edited";
  await cluster.installLayer7(namespace);
  const inputs = { wait_for: "none" };
  await cluster.deploy(namespace, inputs);
  await expectAdopted(cluster, namespace);
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

  const mended = await cluster.deploy(namespace, inputs);
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
  await cluster.expectUnchanged(namespace, inputs);
});

describe("an Ingress made by hand with more than Milvus's page has", () => {
  const namespace = "hand-made";
  const STATIC = "kubernetes.io/ingress.global-static-ip-name";
  const FRONTEND_CONFIG = "networking.gke.io/v1beta1.FrontendConfig";
  const securityPolicy = { name: "corp-policy" };
  const tls = [{ hosts: [HOST], secretName: "corp-tls" }];

  beforeAll(async () => {
    await cluster.installLayer7(namespace);
    const from = Date.now() - DAY;
    const authority = await certificateWith({ subject: "CN=Corp", days: 900, from, isAuthority: true });
    const leaf = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 90, from }, authority);
    const chain = `${leaf.certificate}${authority.certificate}`;
    await Promise.all([
      cluster.control("PUT", "static-addresses/corp-address"),
      cluster.control("PUT", "security-policies/corp-policy"),
      cluster.control("PUT", "ssl-policies/corp-ssl-policy"),
      cluster.apply(secretWith(namespace, "corp-tls", { certificate: chain, privateKey: leaf.privateKey })),
      cluster.apply({
        apiVersion: "networking.gke.io/v1beta1",
        kind: "FrontendConfig",
        metadata: { name: "corp-frontend", namespace },
        spec: { sslPolicy: "corp-ssl-policy" },
      }),
      cluster.apply(backendConfig(namespace, { securityPolicy })),
    ]);
    const annotations = { [STATIC]: "corp-address", [FRONTEND_CONFIG]: "corp-frontend" };
    const other = ingressOfThePage(namespace, {}, {}).spec.rules[0];
    const rules = [other, { ...other, host: "other.milvus.io" }];
    await cluster.apply(ingressOfThePage(namespace, { annotations }, { tls, rules }));
  });

  const fieldsOf = (result: StepResult) =>
    planOf(result).objects.map(({ kind, action, fields = [] }) => [
      kind,
      action,
      fields.map(({ path }) => path),
    ]);

  test("is taken over with consent only, and keeps its certificate, address, policies and hosts in all runs", async () => {
    const { error } = await cluster.refusal(namespace);
    for (const text of [
      "adopt: true",
      "spec.securityPolicy",
      "spec.tls",
      STATIC,
      FRONTEND_CONFIG,
      "spec.rules[other.milvus.io]",
    ]) {
      expect(error).toContain(text);
    }

    const planned = await cluster.plan(namespace, { adopt: "true" });
    const taken = await cluster.deploy(namespace, { adopt: "true", backends_timeout: "1m" });
    const again = await cluster.expectUnchanged(namespace);
    expect(taken.outputs).toMatchObject({ changed: "true", authentication: "required" });
    expect(again.outputs).toMatchObject({ authentication: "required" });
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
    const own = await cluster.deploy(namespace, { certificate: "self-managed" });
    expect(own.lines.join("\n")).toContain("- spec.tls[0].secretName: corp-tls -> my-release-milvus-tls");
    const after = await cluster.get(namespace, "Ingress", INGRESS);
    expect(after.spec).toMatchObject({ tls: [{ secretName: CERTIFICATE }], rules: spec && [{}, {}] });
    expect(after.metadata.annotations).toMatchObject({ [STATIC]: "corp-address" });
  });
});
