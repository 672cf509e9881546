import { readFile } from "node:fs/promises";
import { load } from "js-yaml";
import { beforeAll, describe, expect, test } from "vitest";
import { changeZoneRecords } from "../../local-gke/clients/zone-records.ts";
import { CHART, HELM, hostOf, useCluster } from "./support/cluster.ts";
import { INGRESS } from "./support/names.ts";
import { readyAfter, untilRevision } from "./support/pods.ts";
import { planOf } from "./support/results.ts";

const ZONE = "milvus-io";
const RESTORE = { restore_layer4: "true" };
/** The way back to layer 4. */
const BACK = { ...RESTORE, mode: "teardown" };
const KINDS = [
  ...["Service", "Deployment", "ConfigMap", "Secret", "Ingress"],
  ...["BackendConfig", "FrontendConfig", "ManagedCertificate"],
] as const;

const cluster = useCluster((namespace) => ({ host: hostOf(namespace), wait_for: "address" }));
beforeAll(() => cluster.control("PUT", `dns-zones/${ZONE}`, { dnsName: "milvus.io" }));

async function installed(namespace: string, values: object = {}): Promise<void> {
  await cluster.installSmall(namespace, values);
  await cluster.available(namespace);
}

/** What makes an object what it is: neither what the cluster writes by itself nor Helm's own records. */
async function objectsOf(namespace: string): Promise<Record<string, object>> {
  const lists = await Promise.all(
    KINDS.map(async (kind) =>
      (await cluster.list(namespace, kind))
        .filter(({ type }) => type !== "helm.sh/release.v1")
        .map(({ metadata, spec, data }) => {
          const { labels, annotations, finalizers, uid, name } = metadata;
          const { "deployment.kubernetes.io/revision": _, ...kept } = annotations ?? {};
          const { nodePort: __, healthCheckNodePort: ___, ...rest } = Object(spec);
          const ports = rest.ports?.map(({ nodePort: _, ...port }: { nodePort?: number }) => port);
          const object = { uid, labels, annotations: kept, finalizers, spec: { ...rest, ports }, data };
          return [`${kind}/${name}`, object];
        }),
    ),
  );
  return Object.fromEntries(lists.flat());
}

/** Everything that a deployment could change: of a namespace, and at Google. */
async function lookAt(namespace: string): Promise<object> {
  return {
    objects: await objectsOf(namespace),
    values: await cluster.values(namespace),
    cloud: await cluster.cloudOf(namespace),
  };
}

const names = async (namespace: string) => Object.keys(await objectsOf(namespace)).sort();

describe.concurrent("a teardown", () => {
  test("leaves nothing and loses nothing, and the second time there is nothing to do", async () => {
    const namespace = "way-back";
    await installed(namespace);
    const before = await lookAt(namespace);
    const given = {
      static_ip_name: namespace,
      create_static_ip: "true",
      dns_zone: ZONE,
      allow_http: "true",
      frontend_config: "redirectToHttps: { enabled: true }",
      manifests: "mine.yaml",
    };
    const manifest = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "mine", namespace },
      data: { a: "b" },
    };
    const options = { files: { "mine.yaml": manifest } };
    await cluster.deploy(namespace, { ...given, wait_for: "ready" }, options);
    expect(await names(namespace)).toEqual(
      expect.arrayContaining([
        "BackendConfig/my-release-backendconfig",
        "ConfigMap/mine",
        "FrontendConfig/my-release-frontendconfig",
        `Ingress/${INGRESS}`,
        "Secret/my-release-milvus-tls",
        "Secret/my-release-milvus-tls-ca",
      ]),
    );

    const back = { ...given, ...BACK, delete_static_ip: "true" };
    const first = await cluster.deploy(namespace, back, options);
    expect(first.outputs).toMatchObject({ changed: "true", release_revision: "3", host: hostOf(namespace) });
    expect(planOf(first)).toMatchObject({
      upgrade: expect.arrayContaining(["value service.type becomes as it was in revision 1"]),
      objects: [
        { kind: "Ingress", name: INGRESS },
        { kind: "FrontendConfig", name: "my-release-frontendconfig" },
        { kind: "BackendConfig", name: "my-release-backendconfig" },
        { kind: "Secret", name: "my-release-milvus-tls" },
        { kind: "Secret", name: "my-release-milvus-tls-ca" },
        { kind: "ConfigMap", name: "mine" },
        { kind: "DNS record", name: hostOf(namespace) },
        { kind: "static address", name: namespace },
      ].map((object) => ({ ...object, action: "delete" })),
    });
    expect(first.summary).toContain("Ingress");
    expect(await lookAt(namespace)).toEqual(before);

    await cluster.expectUnchanged(namespace, back, options);
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "superseded", "deployed"]);
    expect(await lookAt(namespace)).toEqual(before);
  });

  // Helm has no part in what goes here: what it restores is proven above.
  test.runIf(HELM === "helm4")(
    "without restore_layer4 and delete_static_ip, release and address stay; an Ingress that doesn't go is named",
    async () => {
      const namespace = "load-balancer-only";
      await installed(namespace);
      const untouched = await names(namespace);
      const given = { static_ip_name: namespace, create_static_ip: "true" };
      const { address } = (await cluster.deploy(namespace, given)).outputs;
      const [values, revisions] = [await cluster.values(namespace), await cluster.revisions(namespace)];
      const { outputs, lines } = await cluster.teardown(namespace, given);
      expect(outputs.changed).toBe("true");
      expect(lines.join("\n")).toContain(`The static address ${namespace} stays reserved`);
      expect(await cluster.values(namespace)).toEqual(values);
      expect(await cluster.revisions(namespace)).toEqual(revisions);
      expect(await cluster.cloudOf(namespace)).toMatchObject({
        loadBalancers: [],
        staticAddresses: [{ name: namespace }],
      });
      expect(await names(namespace)).toEqual(untouched);

      // The same inputs bring it back, at the same address.
      const again = await cluster.deploy(namespace, given);
      expect(again.outputs).toMatchObject({ changed: "true", release_revision: "2", address });

      const patch = (finalizers: string) =>
        cluster.kubectl("patch", "ingress", INGRESS, "-n", namespace, "--type=json", `--patch=${finalizers}`);
      await patch('[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/hold"}]');
      const held = await cluster.failure(namespace, { ...given, ...BACK, address_timeout: "2s" });
      expect(held.error).toContain(`Ingress ${namespace}/${INGRESS} is still there after 2.0s.`);
      expect(held.error).toContain("example.com/hold");
      expect(held.outputs.changed).toBe("true");
      // What it refers to, and the release, wait for it.
      expect(await names(namespace)).toEqual(expect.arrayContaining(["Secret/my-release-milvus-tls"]));
      expect(await cluster.revisions(namespace)).toEqual(revisions);

      await patch('[{"op":"remove","path":"/metadata/finalizers"}]');
      await cluster.teardown(namespace, { ...given, ...RESTORE });
      expect(await names(namespace)).not.toContain("Secret/my-release-milvus-tls");
      expect(await cluster.values(namespace)).toMatchObject({ service: { type: "LoadBalancer" } });
    },
  );

  test("a deployment that has failed half-way is undone; a release that is uninstalled later is not restored", async () => {
    const namespace = "half-way";
    await installed(namespace);
    const before = await lookAt(namespace);
    // The action gives a crash loop six tenths of that time.
    const broken = { values: 'annotations: { "local-gke/pod": crash-loop }', rollback_on_failure: "false" };
    await cluster.failure(namespace, { ...broken, helm_timeout: "9s" });
    expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
    await cluster.teardown(namespace, RESTORE);
    expect(await lookAt(namespace)).toEqual(before);
    await cluster.expectUnchanged(namespace, BACK);

    await cluster.deploy(namespace);
    await cluster.helm("uninstall", "my-release", "-n", namespace, "--keep-history");
    const { lines, outputs } = await cluster.teardown(namespace, RESTORE);
    expect(outputs.changed).toBe("true");
    expect(lines.join("\n")).toContain("my-release (uninstalled)");
    expect(await names(namespace)).not.toContain(`Ingress/${INGRESS}`);
    await cluster.helm("uninstall", "my-release", "-n", namespace);
    await cluster.expectUnchanged(namespace, BACK);
  });

  test("a pending release is refused before anything is removed; recovered, it keeps what the user has set since", async () => {
    const namespace = "pending";
    await installed(namespace);
    await cluster.deploy(namespace, { values: "annotations: { example.com/owner: me }" });
    const flags = ["--reuse-values", "--set", "log.level=debug"];
    await cluster.helm("upgrade", "my-release", CHART, "-n", namespace, ...flags);
    const { service, extraConfigFiles, ...others } = await cluster.values(namespace);
    expect(service).toMatchObject({ type: "ClusterIP" });
    expect(Object(extraConfigFiles)["user.yaml"]).toContain("tlsMode");

    const upgrading = await cluster.start(namespace, { values: readyAfter("1h") });
    await untilRevision(cluster, namespace, 4);
    upgrading.kill("SIGKILL");
    await upgrading.ended;
    const { error } = await cluster.refusal(namespace, BACK);
    expect(error).toContain(`Revision 4 of release my-release in namespace ${namespace} is pending-upgrade`);
    expect(error).toContain("recover_pending");

    await cluster.teardown(namespace, { ...RESTORE, recover_pending: "1s" });
    const restored = await cluster.values(namespace);
    expect(restored).toEqual({
      ...others,
      service: { type: "LoadBalancer" },
      extraConfigFiles: { "user.yaml": expect.stringContaining("# Only people with an account") },
    });
    expect(JSON.stringify(restored)).not.toContain("tlsMode");
  });

  test.runIf(HELM === "helm4")(
    "with the former revision forgotten, layer 4 comes back all the same, or clients keep layer 7 if it can't",
    async () => {
      const namespace = "forgotten";
      await installed(namespace);
      const { address } = (await cluster.deploy(namespace)).outputs;
      // After so many upgrades Helm has no revision from before the action.
      for (const round of ["r1", "r2"]) {
        const flags = ["--reuse-values", "--set", `annotations.round=${round}`, "--history-max", "2"];
        await cluster.helm("upgrade", "my-release", CHART, "-n", namespace, ...flags);
      }
      await cluster.kubectl("create", "quota", "none", "-n", namespace, "--hard=services.loadbalancers=0");
      const counted = "--for=jsonpath={.status.hard}";
      await cluster.kubectl("wait", "quota/none", counted, "-n", namespace, "--timeout=100s");
      const back = { ...BACK, keep_layer4: "true" };
      const { error } = await cluster.failure(namespace, back);
      expect(error).toContain("exceeded quota: none");
      expect(error).toContain(`The layer-7 load balancer at ${address} still stands`);
      expect(await names(namespace)).toContain(`Ingress/${INGRESS}`);
      expect(await cluster.values(namespace)).toMatchObject({ service: { type: "ClusterIP" } });

      await cluster.kubectl("delete", "quota", "none", "-n", namespace);
      const { lines } = await cluster.deploy(namespace, back);
      expect(lines.join("\n")).toContain("has no revision from before this action");
      expect(await names(namespace)).not.toContain(`Ingress/${INGRESS}`);
      const { service, extraConfigFiles, annotations } = await cluster.values(namespace);
      expect(service).toEqual({ type: "LoadBalancer" });
      expect(annotations).toEqual({ round: "r2" });
      expect(Object(extraConfigFiles)["user.yaml"]).toBe(await startingUserYaml());
    },
  );
});

// Helm has no part in it: once is enough.
describe.runIf(HELM === "helm4").concurrent("what isn't this action's alone", () => {
  test("an Ingress of somebody else's ends it before anything is changed, unless it is adopted; so does an address that another load balancer uses", async () => {
    const namespace = "foreign";
    await cluster.installLayer7(namespace);
    const ingress = {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: INGRESS, namespace, annotations: { "kubernetes.io/ingress.class": "nginx" } },
      spec: { rules: [{ host: "other.example" }] },
    };
    await cluster.apply(ingress, "--server-side", "--field-manager=argocd-controller");
    const { error } = await cluster.refusal(namespace, { mode: "teardown" });
    expect(error).toContain(`Ingress ${namespace}/${INGRESS} was not made by this action`);
    expect(error).toContain("argocd-controller");
    expect(error).toContain("adopt: true");
    await cluster.teardown(namespace, { adopt: "true" });
    expect(await names(namespace)).not.toContain(`Ingress/${INGRESS}`);

    const given = { static_ip_name: namespace };
    const { address } = Object(await cluster.control("PUT", `static-addresses/${namespace}`));
    await cluster.deploy(namespace, given);
    await cluster.control("PUT", "forwarding-rules/somebody-elses", { address });
    const teardown = { ...given, mode: "teardown", delete_static_ip: "true" };
    const shared = await cluster.refusal(namespace, teardown);
    expect(shared.error).toContain(`The static address ${namespace} (${address}) is used by something else.`);
    await cluster.control("DELETE", "forwarding-rules/somebody-elses");
  });

  test("what another load balancer of the namespace needs stays, and another release's ManagedCertificate", async () => {
    const namespace = "siblings";
    await cluster.installLayer7(namespace);
    await cluster.apply(
      {
        apiVersion: "networking.gke.io/v1",
        kind: "ManagedCertificate",
        metadata: { name: "other-milvus-tls", namespace },
        spec: { domains: ["other.milvus.io"] },
      },
      ...["--server-side", "--field-manager=milvus-gke-load-balancer"],
    );
    await cluster.deploy(namespace);
    const backend = (name: string) => ({ service: { name, port: { number: 80 } } });
    const others = [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          name: "other",
          annotations: {
            "cloud.google.com/backend-config": '{"ports":{"80":"my-release-backendconfig"}}',
            "cloud.google.com/neg": '{"ingress":true}',
          },
        },
        spec: { ports: [{ port: 80 }] },
      },
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: "other" },
        spec: { tls: [{ secretName: "my-release-milvus-tls" }], defaultBackend: backend("other") },
      },
    ];
    await cluster.apply({ apiVersion: "v1", kind: "List", items: others }, "-n", namespace);

    const { lines, outputs } = await cluster.teardown(namespace);
    expect(lines).toEqual(
      expect.arrayContaining([
        `BackendConfig ${namespace}/my-release-backendconfig is left alone: Ingress other needs it.`,
        `Secret ${namespace}/my-release-milvus-tls is left alone: Ingress other needs it.`,
        `Secret ${namespace}/my-release-milvus-tls-ca is left alone: Ingress other needs it.`,
      ]),
    );
    expect(JSON.parse(outputs.plan ?? "").objects).toEqual([
      { kind: "Ingress", name: INGRESS, action: "delete" },
    ]);
    expect(await names(namespace)).toEqual(
      expect.arrayContaining(["BackendConfig/my-release-backendconfig", "Secret/my-release-milvus-tls"]),
    );
    await cluster.kubectl("delete", "ingress", "other", "-n", namespace);
    await cluster.teardown(namespace);
    expect((await names(namespace)).join()).not.toMatch(/my-release-(backendconfig|milvus-tls)/);

    const given = { certificate: "google-managed" };
    await cluster.deploy(namespace, given);
    expect(await names(namespace)).toContain("ManagedCertificate/my-release-milvus-tls");
    await cluster.teardown(namespace, given);
    const left = await names(namespace);
    expect(left).toContain("ManagedCertificate/other-milvus-tls");
    expect(left).not.toContain("ManagedCertificate/my-release-milvus-tls");
  });

  test("what is somebody else's is left alone, and said", async () => {
    const namespace = "somebody-elses";
    await cluster.installLayer7(namespace);
    const theirs = ["secret", "generic", "theirs", "-n", namespace];
    await cluster.kubectl("create", ...theirs, "--from-literal=tls.crt=x");
    const given = { dns_zone: ZONE };
    const { outputs } = await cluster.deploy(namespace, given);
    // Meanwhile somebody has made the BackendConfig theirs, and the record another load balancer's.
    await cluster.apply(
      {
        apiVersion: "cloud.google.com/v1",
        kind: "BackendConfig",
        metadata: { name: "my-release-backendconfig", namespace },
        spec: { timeoutSec: 5 },
      },
      ...["--server-side", "--force-conflicts", "--field-manager=argocd-controller"],
    );
    const record = { name: `${hostOf(namespace)}.`, type: "A", ttl: 300 };
    await changeZoneRecords(cluster.gke, ZONE, {
      deletions: [{ ...record, rrdatas: [outputs.address ?? ""] }],
      additions: [{ ...record, rrdatas: ["192.0.2.1"] }],
    });
    const gone = await cluster.teardown(namespace, {
      ...given,
      tls_secret: "theirs",
      certificate: "secret",
      adopt: "true",
    });
    const log = gone.lines.join("\n");
    expect(log).toContain(`Secret ${namespace}/theirs was not made by this action`);
    expect(log).toContain(
      `${hostOf(namespace)} points to 192.0.2.1, not to the load balancer at ${outputs.address}`,
    );
    expect(await names(namespace)).toEqual(expect.arrayContaining(["Secret/theirs"]));
    expect(await cluster.recordsAt(hostOf(namespace))).toMatchObject([{ values: ["192.0.2.1"] }]);
  });
});

async function startingUserYaml(): Promise<string> {
  const text = await readFile(`${CHART}/../starting-values.yaml`, "utf8");
  return Object(load(text)).extraConfigFiles["user.yaml"];
}
