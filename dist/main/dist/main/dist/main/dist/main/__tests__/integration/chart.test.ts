import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseAllDocuments } from "yaml";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { type Program, run } from "../../src/base/process.ts";
import { fetchChart } from "../../src/helm/chart.ts";
import { selfSigned } from "../support/certificates.ts";

const charts = join(import.meta.dirname, "../../local-gke/chart");
const helms = await binaries(["helm3", "helm4"]);
// The clients' own component and what its Service selects.
const LABELS = { "app.kubernetes.io/name": "milvus", "app.kubernetes.io/instance": "my-release" };

type Manifest = Record<string, unknown> & { kind: string; metadata: { name: string } };

/** Returns what a release consists of, by `Kind/name`. */
async function template(
  values: object = {},
  release = "my-release",
  helm: keyof typeof helms = "helm3",
  flags: string[] = [],
) {
  const { exitCode, stdout, stderr } = await run(
    { name: "helm", path: helms[helm] },
    ["template", release, join(charts, "milvus"), "--values", "-", ...flags],
    { input: JSON.stringify(values) },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const manifests: Manifest[] = parseAllDocuments(stdout).map((document) => document.toJS());
  return new Map(manifests.map((manifest) => [`${manifest.kind}/${manifest.metadata.name}`, manifest]));
}

describe("names", () => {
  it.each([
    { what: "release and chart", release: "my-release", values: {}, name: "my-release-milvus" },
    { what: "the release alone when it says milvus", release: "milvus-1", values: {}, name: "milvus-1" },
    { what: "nameOverride", release: "a", values: { nameOverride: "vectors" }, name: "a-vectors" },
    { what: "fullnameOverride", release: "a", values: { fullnameOverride: "vectors" }, name: "vectors" },
  ])("are made of $what", async ({ release, values, name }) => {
    const manifests = await template(values, release);
    expect([...manifests.keys()]).toEqual(
      expect.arrayContaining([`Service/${name}`, `ConfigMap/${name}`, `Deployment/${name}-proxy`]),
    );
  });
});

describe.each([
  { mode: "cluster", component: "proxy", enabled: true },
  { mode: "standalone", component: "standalone", enabled: false },
])("in $mode mode", ({ component, enabled }) => {
  it("a Service leads to the pods that clients talk to", async () => {
    const manifests = await template({ cluster: { enabled } });
    expect(manifests.get("Service/my-release-milvus")).toMatchObject({
      metadata: { labels: { ...LABELS, component, "helm.sh/chart": "milvus-5.0.19" } },
      spec: {
        type: "ClusterIP",
        selector: { ...LABELS, component },
        ports: [
          { name: "milvus", port: 19530, targetPort: "milvus" },
          { name: "metrics", port: 9091, targetPort: "metrics" },
        ],
      },
    });
    expect(manifests.get(`Deployment/my-release-milvus-${component}`)).toMatchObject({
      spec: {
        template: {
          metadata: { labels: { ...LABELS, component } },
          spec: {
            containers: [
              {
                name: component,
                image: "milvusdb/milvus:v2.6.15",
                ports: [
                  { name: "milvus", containerPort: 19530 },
                  { name: "metrics", containerPort: 9091 },
                ],
                readinessProbe: { httpGet: { path: "/healthz", port: "metrics" }, initialDelaySeconds: 90 },
              },
            ],
          },
        },
      },
    });
  });

  it("another user.yaml rolls the pods, another annotation of the Service does not", async () => {
    const checksum = async (values: object) => {
      const manifests = await template({ cluster: { enabled }, ...values });
      const deployment = manifests.get(`Deployment/my-release-milvus-${component}`);
      return deployment && /"checksum\/config":"(\w{64})"/.exec(JSON.stringify(deployment))?.[1];
    };
    const before = await checksum({});
    expect(before).toBeDefined();
    expect(await checksum({ extraConfigFiles: { "user.yaml": "common: {}" } })).not.toBe(before);
    expect(await checksum({ service: { annotations: { a: "b" } } })).toBe(before);
  });
});

describe("values", () => {
  it("of the Service reach it", async () => {
    const service = { type: "LoadBalancer", portName: "grpc", annotations: { "cloud.google.com/neg": "{}" } };
    expect((await template({ service })).get("Service/my-release-milvus")).toMatchObject({
      metadata: { annotations: service.annotations },
      spec: { type: "LoadBalancer", ports: [{ name: "grpc", port: 19530, targetPort: "milvus" }, {}] },
    });
  });

  it("of the configuration reach the ConfigMap, user.yaml as it was written", async () => {
    const userYaml = "# a comment\ncommon:\n  security:\n    tlsMode: 1\n";
    const manifests = await template({
      minio: { enabled: false },
      externalS3: { enabled: true, host: "storage.googleapis.com", port: 443, bucketName: "b", useIAM: true },
      extraConfigFiles: { "user.yaml": userYaml },
    });
    const data = Object(manifests.get("ConfigMap/my-release-milvus")).data;
    expect(data["user.yaml"].trimEnd()).toBe(userYaml.trimEnd());
    expect(data["default.yaml"]).toMatch(/minio:\n {2}address: storage.googleapis.com\n {2}port: 443/);
    expect([...manifests.keys()].filter((key) => key.includes("minio"))).toEqual([]);
  });

  it("that are lost bring back MinIO with claims of its own", async () => {
    const manifests = await template();
    expect(manifests.get("StatefulSet/my-release-minio")).toMatchObject({
      spec: {
        replicas: 4,
        volumeClaimTemplates: [{ spec: { resources: { requests: { storage: "500Gi" } } } }],
      },
    });
    expect(Object(manifests.get("ConfigMap/my-release-milvus")).data["default.yaml"]).toMatch(
      /minio:\n {2}address: my-release-minio\n/,
    );
  });

  it("with a customConfigMap leave extraConfigFiles out", async () => {
    const manifests = await template({ customConfigMap: "mine" });
    expect(manifests.has("ConfigMap/my-release-milvus")).toBe(false);
    expect(manifests.get("Deployment/my-release-milvus-proxy")).toMatchObject({
      spec: { template: { spec: { volumes: [{ name: "milvus-config", configMap: { name: "mine" } }] } } },
    });
  });

  it("of the chart's own Ingress make one of the Service's name", async () => {
    const rules = [{ host: "h.example", path: "/", pathType: "Prefix" }];
    const manifests = await template({ ingress: { enabled: true, rules } });
    expect(manifests.get("Ingress/my-release-milvus")).toMatchObject({
      spec: { rules: [{ host: "h.example" }] },
    });
    expect((await template()).has("Ingress/my-release-milvus")).toBe(false);
  });
});

describe("what makes a release hard to upgrade", () => {
  it("an autoscaler does not take the number of replicas out of the Deployment, only -1 does", async () => {
    const values = { queryNode: { hpa: { enabled: true, minReplicas: 2 } }, proxy: { replicas: -1 } };
    const manifests = await template(values);
    const querynode = "my-release-milvus-querynode";
    expect(manifests.get(`HorizontalPodAutoscaler/${querynode}-hpa`)).toMatchObject({
      spec: { scaleTargetRef: { kind: "Deployment", name: querynode }, minReplicas: 2, maxReplicas: 5 },
    });
    expect(manifests.get(`Deployment/${querynode}`)).toMatchObject({ spec: { replicas: 1 } });
    expect(Object(manifests.get("Deployment/my-release-milvus-proxy")).spec).not.toHaveProperty("replicas");
  });

  it("etcd's token is another one at every rendering, and its pods say so", async () => {
    const etcd = { auth: { token: { enabled: true } } };
    const [first, second] = [await template({ etcd }), await template({ etcd })];
    for (const key of ["Secret/my-release-etcd-jwt-token", "StatefulSet/my-release-etcd"]) {
      expect(first.get(key)).toBeDefined();
      expect(first.get(key)).not.toEqual(second.get(key));
    }
    expect((await template()).get("StatefulSet/my-release-etcd")).toEqual(
      (await template()).get("StatefulSet/my-release-etcd"),
    );
  });

  it("Pulsar brings a Role, and a Job that only an installation has", async () => {
    const role = [
      "Role/my-release-pulsarv3-broker-role",
      "RoleBinding/my-release-pulsarv3-broker-rolebinding",
    ];
    const job = "Job/my-release-pulsarv3-pulsar-init";
    const installation = await template();
    expect([...installation.keys()]).toEqual(expect.arrayContaining([...role, job]));
    const upgrade = await template({}, "my-release", "helm4", ["--is-upgrade"]);
    expect([...installation.keys()].filter((key) => !upgrade.has(key))).toEqual([job]);
  });

  it("Attu calls Milvus without TLS, whatever the values", async () => {
    const userYaml = "common:\n  security:\n    tlsMode: 1\n";
    const manifests = await template({
      attu: { enabled: true },
      extraConfigFiles: { "user.yaml": userYaml },
    });
    const env = [{ name: "MILVUS_URL", value: "http://my-release-milvus:19530" }];
    expect(manifests.get("Deployment/my-release-milvus-attu")).toMatchObject({
      spec: { template: { spec: { containers: [{ name: "attu", env }] } } },
    });
  });

  it("an integer of a million or more becomes a float once it was read back", async () => {
    const manifests = await template({ log: { file: { maxSize: 104_857_600 } } });
    expect(Object(manifests.get("ConfigMap/my-release-milvus")).data["default.yaml"]).toContain(
      "maxSize: 1.048576e+08\n",
    );
  });
});

it("is rendered by helm 4 as by helm 3", async () => {
  expect(await template({}, "my-release", "helm4")).toEqual(await template());
});

describe.each(["helm3", "helm4"] as const)("a chart repository that wants a password, with %s", (name) => {
  const login = { user: "ci@example", password: "pa:ss%/word" };

  /** Serves the chart, and returns the repository's URL with a Helm that writes its arguments down. */
  async function guarded() {
    const directory = await mkdtemp(join(tmpdir(), "charts-"));
    const [repository, home, args] = ["repository", "home", "arguments"].map((each) => join(directory, each));
    if (!repository || !home || !args) throw new Error("three paths were named");
    for (const folder of [repository, home]) await mkdir(folder);
    const program = { name: "helm", path: helms[name] };
    await run(program, ["package", join(charts, "milvus"), "--destination", repository]);
    await run(program, ["repo", "index", repository]);
    const basic = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
    const server = createServer(async ({ url, headers }, response) => {
      const content = await readFile(join(repository, url ?? "")).catch(() => undefined);
      response.writeHead(headers.authorization === basic ? (content ? 200 : 404) : 401).end(content);
    });
    const port = await listenOnFreePort(server);
    onTestFinished(async () => {
      server.close();
      await rm(directory, { recursive: true });
    });
    const telling = join(directory, "helm");
    const script = `#!/bin/sh\nprintf '%s\\n' "$@" >>'${args}'\nexec '${helms[name]}' "$@"\n`;
    await writeFile(telling, script, { mode: 0o755 });
    const helm: Program = { name: "helm", path: telling, env: { HOME: home } };
    return { helm, directory, url: `http://127.0.0.1:${port}`, args };
  }

  it.each(["5.0.19", undefined])("gets it, which no command line shows (version %s)", async (version) => {
    const { helm, directory, url: repository, args } = await guarded();
    const chart = await fetchChart(helm, { chart: "milvus", repository, login, version }, directory);
    const path = expect.stringMatching(/milvus-5\.0\.19\.tgz$/);
    expect(chart).toEqual({ path, name: "milvus", version: "5.0.19" });
    expect(await readFile(args, "utf8")).toContain(repository);
    expect(await readFile(args, "utf8")).not.toContain(login.password);
  });

  it("says that a wrong one is refused", async () => {
    const { helm, directory, url: repository } = await guarded();
    const wrong = {
      chart: "milvus",
      repository,
      login: { ...login, password: "hunter2" },
      version: "5.0.19",
    };
    const error = await fetchChart(helm, wrong, directory).catch(String);
    expect(error).toContain(
      `Chart milvus 5.0.19 could not be downloaded from ${repository}; nothing was changed.`,
    );
    expect(error).toContain("401 Unauthorized");
    expect(error).not.toContain("hunter2");
  });
});

describe.each(["helm3", "helm4"] as const)("%s: a chart by its digest", (name) => {
  const digestOf = (content: Buffer | string) =>
    `sha256:${createHash("sha256").update(content).digest("hex")}`;

  /** Serves version 5.0.19 of the chart as a registry does, and returns its reference. */
  async function registry() {
    const directory = await mkdtemp(join(tmpdir(), "registry-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const packaging = { name: "helm", path: helms[name] };
    await run(packaging, ["package", join(charts, "milvus"), "--destination", directory]);
    const layer = await readFile(join(directory, "milvus-5.0.19.tgz"));
    const config = JSON.stringify({ name: "milvus", version: "5.0.19", apiVersion: "v1" });
    const blob = (mediaType: string, content: Buffer | string) => ({
      mediaType: `application/vnd.cncf.helm.${mediaType}`,
      digest: digestOf(content),
      size: content.length,
    });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: blob("config.v1+json", config),
      layers: [blob("chart.content.v1.tar+gzip", layer)],
    });
    const contents = new Map([manifest, config, layer].map((content) => [digestOf(content), content]));

    const { certificate, privateKey } = await selfSigned("localhost");
    const authority = join(directory, "ca.pem");
    await writeFile(authority, certificate);
    const server = createTlsServer({ cert: certificate, key: privateKey }, ({ url = "" }, response) => {
      const digest = url.split("/").at(-1) ?? "";
      const content = contents.get(digest);
      const type =
        content === manifest ? "application/vnd.oci.image.manifest.v1+json" : "application/octet-stream";
      const headers = { "content-type": type, "docker-content-digest": digest };
      response.writeHead(content ? 200 : 404, { ...headers, "content-length": content?.length ?? 0 });
      response.end(content);
    });
    const port = await listenOnFreePort(server);
    onTestFinished(() => server.closeAllConnections());
    onTestFinished(() => void server.close());
    const helm: Program = { name: "helm", path: helms[name], env: { SSL_CERT_FILE: authority } };
    return { helm, directory, chart: `oci://localhost:${port}/charts/milvus@${digestOf(manifest)}` };
  }

  it("is fetched for a release of that version, or of none", async () => {
    const { helm, directory, chart } = await registry();
    for (const version of ["5.0.19", undefined]) {
      const fetched = await fetchChart(helm, { chart, repository: undefined, version }, directory);
      expect(fetched).toMatchObject({ name: "milvus", version: "5.0.19" });
    }
  });

  it("is refused for a release of another version", async () => {
    const { helm, directory, chart } = await registry();
    const reference = { chart, repository: undefined, version: "5.0.18" };
    await expect(fetchChart(helm, reference, directory)).rejects.toThrow(
      `The chart at ${chart} has version 5.0.19, not 5.0.18; nothing was changed.`,
    );
  });
});
