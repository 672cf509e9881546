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
  const leadingElsewhere = (namespace: string) => {
    const backend = { service: { name: "attu", port: { number: 3000 } } };
    const paths = [{ path: "/", pathType: "Prefix", backend }];
    return { ...ingressOfThePage(namespace, {}, {}), spec: { rules: [{ host: HOST, http: { paths } }] } };
  };

  /** Applies objects to a new release, and expects that a run refuses to touch them. */
  async function expectRefused(
    namespace: string,
    objects: { object: object; flags: string[] }[],
    says: string[],
  ): Promise<void> {
    await cluster.installLayer7(namespace);
    for (const { object, flags } of objects) await cluster.apply(object, ...flags);
    const { error } = await cluster.refusal(namespace);
    for (const text of ["belong to somebody else; nothing was changed.", "adopt: true", ...says]) {
      expect(error).toContain(text);
    }
  }

  test("an Ingress of Argo CD's, a BackendConfig of a Helm release's, a Secret of cert-manager's: adopted, and mended when edited", async () => {
    const namespace = "of-tools";
    await expectRefused(
      namespace,
      [
        { object: leadingElsewhere(namespace), flags: [...server, "argocd-controller"] },
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
      [
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
    );

    const inputs = { wait_for: "none" };
    const adopted = await cluster.deploy(namespace, { ...inputs, adopt: "true" });
    expect(adopted.outputs.changed).toBe("true");
    await expectAdopted(cluster, namespace);
    expect(JSON.stringify(await cluster.get(namespace, "Ingress", INGRESS))).not.toContain("attu");
    for (const kind of ["Ingress", "BackendConfig", "Secret"] as const) {
      const managers = managersOf(await cluster.get(namespace, kind, OBJECTS[kind]));
      expect(managers).not.toContainEqual(expect.stringMatching(/^(argocd|helm|cert-manager)/));
    }

    // Someone edits them by hand: they keep what was added.
    const patch = (kind: string, name: string, change: object) => {
      const flags = ["-n", namespace, "--type=merge", "--patch", JSON.stringify(change)];
      return cluster.kubectl("patch", kind, name, ...flags);
    };
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

  // The next describe has such ones adopted.
  test("a hand-made Ingress that leads elsewhere, a hand-made BackendConfig with a policy of Cloud Armor", async () => {
    const namespace = "of-people";
    await expectRefused(
      namespace,
      [
        { object: leadingElsewhere(namespace), flags: [] },
        { object: backendConfig(namespace, { securityPolicy: { name: "my-policy" } }), flags: [] },
      ],
      [
        `Ingress of-people/${INGRESS}`,
        `BackendConfig of-people/${BACKEND_CONFIG}`,
        "kubectl-client-side-apply",
        "not as Milvus's page describes it",
        "ingress_name",
        "backend_config_name",
      ],
    );
  });
});

describe.concurrent("an Ingress made by hand with more than Milvus's page has", () => {
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

    const taken = await cluster.deploy(namespace, { adopt: "true", backends_timeout: "1m" });
    const again = await cluster.expectUnchanged(namespace);
    expect(taken.outputs).toMatchObject({ changed: "true", authentication: "required" });
    expect(again.outputs).toMatchObject({ authentication: "required" });
    expect(fieldsOf(taken)).toEqual(
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
    const log = taken.lines.join("\n");
    expect(log).toContain("- spec.timeoutSec: nothing -> 3600");
    expect(log).not.toContain("- spec.tls");
    for (const result of [taken, again]) {
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
