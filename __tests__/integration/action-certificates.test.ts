import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { processesOf } from "../../local-gke/control-plane/processes.ts";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { milvusPython } from "../../local-gke/milvus/python.ts";
import { run } from "../../src/base/process.ts";
import { certificatesIn, type KeyPair } from "../../src/loadbalancer/certificate.ts";
import { makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { type Authority, certificateWith, DAY, encrypted, selfSigned } from "../support/certificates.ts";
import { applySecret, certificatesAtGoogle, secretWith, trusting } from "./support/certificates.ts";
import { CHART, HOST, hostOf, type JobOptions, useCluster } from "./support/cluster.ts";
import { documentedInputs, withSecrets } from "./support/documented.ts";
import type { Job, Step, StepResult } from "./support/job.ts";
import { CERTIFICATE, FIELD_MANAGER, INGRESS } from "./support/names.ts";
import { expectFailure, expectSuccess, planOf, warningsOf } from "./support/results.ts";
import { handshake } from "./support/tls.ts";
import { traces } from "./support/traces.ts";

const DOCUMENTED = documentedInputs("certificates.md");
const CALL = "::group::Call Milvus through the load balancer";

const cluster = useCluster(
  (namespace) => ({ host: hostOf(namespace) }),
  () => jobOptions,
);
/** A company's own authority, and one that it has signed. */
let root: KeyPair & Authority;
let intermediate: KeyPair & Authority;
/** Options of a job that trusts that authority, beside those that are public. */
let jobOptions: JobOptions;

beforeAll(async () => {
  const authority = { from: Date.now() - DAY, days: 900, isAuthority: true };
  root = await certificateWith({ subject: "CN=Root", ...authority });
  intermediate = await certificateWith({ subject: "CN=Intermediate", ...authority }, root);
  jobOptions = await trusting(cluster, root);
});

/** Makes a certificate for a host that was made yesterday. */
function certificateFor(host: string, days = 200, issuer?: Authority): Promise<KeyPair & Authority> {
  return certificateWith({ subject: `CN=${host}`, names: [host], from: Date.now() - DAY, days }, issuer);
}

/** The certificate that a run's load balancer presents, and what signed it. */
async function presentedBy({ outputs: { address = "", host = "" } }: StepResult): Promise<X509Certificate[]> {
  return handshake(address, host);
}

async function presents(result: StepResult, certificate: string): Promise<void> {
  const [presented] = await presentedBy(result);
  expect(presented?.fingerprint256).toBe(new X509Certificate(certificate).fingerprint256);
}

/**
 * Connects as a Node.js client that trusts `ca`, and returns the chain that is presented:
 * the host's own, its authority.
 */
async function presentsUnder(
  { outputs: { address = "", host = "" } }: StepResult,
  ca: string,
): Promise<[X509Certificate, X509Certificate]> {
  const socket = connect({ host: address, port: 443, servername: host, ca });
  try {
    await once(socket, "secureConnect");
  } finally {
    socket.destroy();
  }
  const [own, authority, ...others] = await handshake(address, host);
  if (!own || !authority) throw new Error("no chain of two certificates is presented");
  expect(others).toEqual([]);
  expect(own.subjectAltName).toBe(`DNS:${host}`);
  return [own, authority];
}

/** The certificate and the key in a Secret. */
async function keyPairIn(namespace: string, name: string): Promise<KeyPair> {
  const { data } = await cluster.get(namespace, "Secret", name);
  const text = (key: string) => Buffer.from(data?.[key] ?? "", "base64").toString();
  return { certificate: text("tls.crt"), privateKey: text("tls.key") };
}

/** Collects the arguments of all programs of a step until it ends. */
async function argumentsOf(job: Job, step: Step): Promise<string> {
  const seen = new Set<string>();
  let over = false;
  const ended = step.ended.finally(() => {
    over = true;
  });
  while (!over) {
    for (const pid of processesOf(job.directory)) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
      } catch {
        // It has ended meanwhile.
      }
    }
    await delay(20);
  }
  await ended;
  return [...seen].join("\n");
}

/** The annotations of a namespace's Ingress. */
async function annotationsOf(namespace: string): Promise<Record<string, string>> {
  return (await cluster.get(namespace, "Ingress", INGRESS)).metadata.annotations ?? {};
}

/** The hosts that a namespace's Ingress routes. */
async function hostsOf(namespace: string): Promise<unknown[]> {
  const { spec } = await cluster.get(namespace, "Ingress", INGRESS);
  const { rules }: { rules: { host: string }[] } = JSON.parse(JSON.stringify(spec));
  return rules.map(({ host }) => host);
}

/** Asks Milvus for its version as PyMilvus's users do, and returns what it says. */
async function pymilvus({ outputs }: StepResult, ca: string): Promise<string> {
  const folder = await mkdtemp(join(cluster.gke.directory, "python-"));
  const pem = join(folder, "ca.pem");
  await writeFile(pem, ca);
  const program = [
    "from pymilvus import MilvusClient",
    `client = MilvusClient(uri=${JSON.stringify(outputs.uri)}, token="root:Milvus", secure=True,`,
    `    server_name=${JSON.stringify(outputs.host)}, server_pem_path=${JSON.stringify(pem)})`,
    "print(client.get_server_version())",
  ].join("\n");
  const python = { name: "python", path: await milvusPython() };
  const { exitCode, stdout, stderr } = await run(python, ["-c", program]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.trim();
}

describe.concurrent("self-managed", () => {
  test("made, kept, renewed under the same authority near its end, replaced for another host", async () => {
    const namespace = "made";
    await cluster.installSmall(namespace);
    const first = await cluster.deploy(namespace);
    const { ca_certificate: authority = "", certificate_expires, milvus_version } = first.outputs;
    const [made] = await presentsUnder(first, authority);
    expect(await pymilvus(first, authority)).toBe(milvus_version);
    expect(Date.parse(certificate_expires ?? "")).toBe(made.validToDate.getTime());

    const second = await cluster.expectUnchanged(namespace);
    expect(second.outputs).toMatchObject({ ca_certificate: authority, certificate_expires });
    expect(second.lines.join("\n")).toContain(`The certificate in Secret ${CERTIFICATE} stays`);

    // Somebody restores both Secrets from a backup, near the end of the certificate.
    const kept = await keyPairIn(namespace, `${CERTIFICATE}-ca`);
    const old = await makeCertificate(hostOf(namespace), kept, Date.now() - (397 - 20) * DAY);
    for (const [name, pair] of [
      [`${CERTIFICATE}-ca`, kept],
      [CERTIFICATE, old],
    ] as const) {
      const secret = JSON.stringify(secretWith(namespace, name, pair));
      await cluster.kubectlWith(secret, "replace", "--force", "-f", "-");
    }
    const before = await annotationsOf(namespace);
    const third = await cluster.deploy(namespace);
    expect(third.lines.join("\n")).toMatch(/is replaced: it expires in (19|20) days/);
    expect(third.outputs).toMatchObject({ ca_certificate: authority, changed: "true" });
    const changes: { kind: string; name: string }[] = planOf(third).objects;
    expect(changes).not.toContainEqual(expect.objectContaining({ name: `${CERTIFICATE}-ca` }));
    expect(warningsOf(third)).toEqual([]);
    // Clients that have the first run's file go on.
    const [renewed] = await presentsUnder(third, authority);
    expect([made.serialNumber, new X509Certificate(old.certificate).serialNumber]).not.toContain(
      renewed.serialNumber,
    );
    expect(await pymilvus(third, authority)).toBe(milvus_version);
    const nudged = "milvus-gke-load-balancer/synced-at";
    expect((await annotationsOf(namespace))[nudged]).not.toBe(before[nudged]);

    const other = await cluster.deploy(namespace, { host: "other.made.milvus.io" });
    expect(other.lines.join("\n")).toContain("is replaced: it is not for other.made.milvus.io");
    expect(other.outputs.ca_certificate).not.toBe(authority);
    await presentsUnder(other, other.outputs.ca_certificate ?? "");
    await cluster.expectUnchanged(namespace, { host: "other.made.milvus.io" });
  });

  test("one that is its own authority stays; clients are given the next authority before it signs", async () => {
    const namespace = "own-authority";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    const old = await selfSigned(host, 46);
    await applySecret(cluster, secretWith(namespace, CERTIFICATE, old), FIELD_MANAGER);
    const announced = await cluster.deploy(namespace);
    await presents(announced, old.certificate);
    const { ca_certificate: both = "" } = announced.outputs;
    const [former, next = ""] = certificatesIn(both).split(/(?<=END CERTIFICATE-----\n)/);
    expect(former).toBe(old.certificate);
    expect(warningsOf(announced)).toEqual([
      expect.stringMatching(
        `^From [0-9TZ:-]+ on a run renews the certificate of ${host} under another authority: give clients the output ca_certificate before`,
      ),
    ]);
    expect(await pymilvus(announced, both)).toBe(announced.outputs.milvus_version);
    expect((await cluster.expectUnchanged(namespace)).outputs.ca_certificate).toBe(both);

    const late = await selfSigned(host, 21);
    await applySecret(cluster, secretWith(namespace, CERTIFICATE, late), FIELD_MANAGER);
    const moved = await cluster.deploy(namespace);
    expect(moved.outputs.ca_certificate).toBe(next + late.certificate);
    expect(warningsOf(moved)).toEqual([
      expect.stringMatching(`^From this run on the certificate of ${host} has another authority`),
    ]);
    await presentsUnder(moved, both);
    expect(await pymilvus(moved, both)).toBe(moved.outputs.milvus_version);
    const settled = await cluster.expectUnchanged(namespace);
    expect(settled.outputs.ca_certificate).toBe(next);
    expect(warningsOf(settled)).toEqual([]);
  });

  test("the user's own, with what signed it; changed; and back to one that is made", async () => {
    const namespace = "given";
    await cluster.installSmall(namespace);
    const inputsWith = ({ certificate, privateKey }: KeyPair) => ({
      tls_certificate: certificate + intermediate.certificate,
      tls_private_key: privateKey,
    });
    const [one, two] = await Promise.all(
      [200, 300].map((days) => certificateFor(hostOf(namespace), days, intermediate)),
    );
    if (!one || !two) throw new Error("two certificates were asked for");

    const job = await cluster.job();
    const step = job.start(cluster.inputs(namespace, inputsWith(one)));
    const [argv, first] = await Promise.all([argumentsOf(job, step), step.ended]);
    expectSuccess(first);
    const chain = await presentedBy(first);
    expect(chain.map(({ subject }) => subject)).toEqual([`CN=${hostOf(namespace)}`, "CN=Intermediate"]);
    await presents(first, one.certificate);
    // Its authority is known to its clients.
    expect(first.outputs.ca_certificate).toBeUndefined();
    const expires = new X509Certificate(one.certificate).validToDate.getTime();
    expect(Date.parse(first.outputs.certificate_expires ?? "")).toBe(expires);
    expect(await pymilvus(first, root.certificate)).toBe(first.outputs.milvus_version);

    expect(argv).toContain("kubectl");
    const post = await job.post();
    const lines = one.privateKey.split("\n").slice(1, -2);
    for (const line of lines) {
      for (const text of [traces(first), traces(post), argv]) expect(text).not.toContain(line);
    }

    await cluster.expectUnchanged(namespace, inputsWith(one));
    const changed = await cluster.deploy(namespace, inputsWith(two));
    expect(changed.outputs.changed).toBe("true");
    await presents(changed, two.certificate);
    await cluster.expectUnchanged(namespace, inputsWith(two));

    const made = await cluster.deploy(namespace);
    expect(made.lines.join("\n")).toContain("is replaced: it came from the input tls_certificate");
    await presentsUnder(made, made.outputs.ca_certificate ?? "");
    await cluster.expectUnchanged(namespace);
  });

  describe("the user's own that won't do is refused before anything is changed", () => {
    const namespace = "refused-certificate";
    const host = hostOf(namespace);
    beforeAll(() => cluster.installSmall(namespace));

    const cases: [string, () => Promise<{ certificate: string; privateKey: string }>, RegExp][] = [
      [
        "the key of another certificate",
        async () => ({
          certificate: (await certificateFor(host)).certificate,
          privateKey: (await certificateFor(host)).privateKey,
        }),
        /tls_private_key belongs to another certificate/,
      ],
      [
        "another host",
        () => certificateFor("other.milvus.io"),
        /tls_certificate is not for refused-certificate\.milvus\.io/,
      ],
      ["expired", () => certificateFor(host, 0.5), /tls_certificate has expired/],
      [
        "not valid yet",
        () => certificateWith({ subject: `CN=${host}`, names: [host], from: Date.now() + DAY, days: 9 }),
        /tls_certificate is not valid before/,
      ],
      [
        "the wrong order",
        async () => {
          const own = await certificateFor(host, 200, intermediate);
          return { ...own, certificate: intermediate.certificate + own.certificate };
        },
        /tls_certificate begins with an authority's certificate/,
      ],
      [
        "one of the chain is missing",
        async () => {
          const own = await certificateFor(host, 200, intermediate);
          return { ...own, certificate: own.certificate + root.certificate };
        },
        /tls_certificate is not in order: certificate 1 .* is not signed by the next one/,
      ],
      [
        "an encrypted key",
        async () => {
          const own = await certificateFor(host);
          return { ...own, privateKey: encrypted(own.privateKey) };
        },
        /tls_private_key is encrypted/,
      ],
    ];

    test.each(cases)("%s", async (_, make, says) => {
      const { certificate, privateKey } = await make();
      const inputs = { tls_certificate: certificate, tls_private_key: privateKey };
      const result = await cluster.refusal(namespace, inputs);
      expect(result.error).toMatch(says);
      for (const line of privateKey.split("\n").slice(1, -2)) expect(traces(result)).not.toContain(line);
    });
  });
});

describe.concurrent("secret", () => {
  test.each([
    { type: "Opaque", namespace: "secret-opaque" },
    { type: "kubernetes.io/tls", namespace: "secret-tls" },
  ])("$type: presented, never written; a warning near its end", async ({ type, namespace }) => {
    const inputs = { certificate: "secret", tls_secret: "mine" };
    const pair = await certificateFor(hostOf(namespace), 12);
    await cluster.installSmall(namespace);
    await applySecret(cluster, secretWith(namespace, "mine", pair, type), "cert-manager");
    const { mine } = await secretVersions(namespace);

    const first = await cluster.deploy(namespace, inputs);
    await presents(first, pair.certificate);
    expect(warningsOf(first)).toEqual([
      expect.stringMatching(new RegExp(`Secret ${namespace}/mine: it expires in \\d+ days.* must renew it`)),
    ]);
    expect(first.outputs.ca_certificate).toBeUndefined();
    await cluster.expectUnchanged(namespace, inputs);

    // It is renewed by whoever keeps it: the next run has it presented.
    const renewed = await certificateFor(hostOf(namespace));
    await applySecret(cluster, secretWith(namespace, "mine", renewed, type), "cert-manager");
    const later = await cluster.deploy(namespace, inputs);
    await presents(later, renewed.certificate);
    expect(warningsOf(later)).toEqual([]);

    expect(mine).toBeDefined();
    expect(Object.keys(await secretVersions(namespace))).toEqual(["mine"]);
    expect((await cluster.writes(namespace)).filter((write) => write.includes("secrets/mine"))).toEqual([]);
  });

  /** The versions of a namespace's Secrets but Helm's. */
  async function secretVersions(namespace: string): Promise<Record<string, string>> {
    const secrets = await cluster.list(namespace, "Secret");
    const own = secrets.filter(({ metadata }) => !metadata.name.startsWith("sh.helm."));
    return Object.fromEntries(own.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  }

  describe("one that won't do is refused before anything is changed", () => {
    const namespace = "secret-refused";
    const host = hostOf(namespace);
    beforeAll(async () => {
      await cluster.installSmall(namespace);
      for (const { what, data } of cases) {
        if (!data) continue;
        const metadata = { name: what, namespace };
        const secret = { apiVersion: "v1", kind: "Secret", metadata, stringData: await data() };
        await applySecret(cluster, secret, "kubectl");
      }
    });

    const cases: { what: string; data?: () => Promise<Record<string, string>>; says: RegExp }[] = [
      { what: "missing", says: /There is no Secret secret-refused\/missing; nothing was changed/ },
      {
        what: "wrong-keys",
        data: async () => {
          const { certificate, privateKey } = await certificateFor(host);
          return { "cert.pem": certificate, "tls.key": privateKey };
        },
        says: /holds no certificate with its key.*\n.*it lacks tls\.crt; it has cert\.pem, tls\.key/,
      },
      {
        what: "other-host",
        data: async () => keysOf(await certificateFor("other.milvus.io")),
        says: /it is not for secret-refused\.milvus\.io/,
      },
      {
        what: "expired",
        data: async () => keysOf(await certificateFor(host, 0.5)),
        says: /it has expired/,
      },
    ];

    test.each(cases)("$what", async ({ what, says }) => {
      const { error } = await cluster.refusal(namespace, { certificate: "secret", tls_secret: what });
      expect(error).toMatch(says);
      expect(error).toContain("nothing was changed");
      expect(error).toContain("tls_secret");
    });

    function keysOf({ certificate, privateKey }: KeyPair): Record<string, string> {
      return { "tls.crt": certificate, "tls.key": privateKey };
    }
  });
});

describe.concurrent("pre-shared", () => {
  async function putAtGoogle(name: string, { certificate, privateKey }: KeyPair): Promise<void> {
    await cluster.control("PUT", `ssl-certificates/${name}`, { certificate, privateKey });
  }

  test("one, then several", async () => {
    const namespace = "shared-certificate";
    await cluster.installSmall(namespace);
    const own = await certificateFor(hostOf(namespace), 200, root);
    await Promise.all([
      putAtGoogle("shared-other", await certificateFor("other.milvus.io")),
      putAtGoogle("shared-own", own),
    ]);
    const one = { certificate: "pre-shared", pre_shared_certificates: "shared-own" };
    const first = await cluster.deploy(namespace, one);
    await presents(first, own.certificate);
    expect(first.outputs).toMatchObject({ certificate_status: "Active" });
    expect(Date.parse(first.outputs.certificate_expires ?? "")).toBe(
      new X509Certificate(own.certificate).validToDate.getTime(),
    );
    await cluster.expectUnchanged(namespace, one);

    const several = { certificate: "pre-shared", pre_shared_certificates: "shared-other\nshared-own" };
    const second = await cluster.deploy(namespace, several);
    expect(await certificatesAtGoogle(cluster, namespace)).toEqual(["shared-other", "shared-own"]);
    await presents(second, own.certificate);
    await cluster.expectUnchanged(namespace, several);
  });

  test("with a kubeconfig and no Google credentials it is said that they can't be checked", async () => {
    const namespace = "shared-kubeconfig";
    await cluster.installSmall(namespace);
    await putAtGoogle("unchecked", await certificateFor(hostOf(namespace), 200, root));
    const ways = {
      kubeconfig: await readFile(cluster.gke.kubeconfig, "utf8"),
      location: "",
      cluster_name: "",
    };
    const inputs = { certificate: "pre-shared", pre_shared_certificates: "unchecked" };
    const result = await cluster.deploy(namespace, { ...inputs, ...ways }, { google: false });
    expect(result.lines.join("\n")).toMatch(/Can't check whether Google has unchecked/);
    expect(result.lines).toContain(CALL);
    expect(result.outputs.certificate_status).toBe("Active");
  });

  describe("those that won't do are refused before anything is changed", () => {
    const namespace = "shared-refused";
    const host = hostOf(namespace);
    beforeAll(async () => {
      await cluster.installSmall(namespace);
      await putAtGoogle("elsewhere", await certificateFor("other.milvus.io"));
      await putAtGoogle("expired", await certificateFor(host, 0.5));
      await putAtGoogle("good", await certificateFor(host));
    });

    test.each([
      {
        what: "missing at Google",
        names: "good,no-such",
        says: "there is no SSL certificate no-such in the project",
      },
      { what: "another host", names: "elsewhere", says: `none of them is for ${host}: they are for other` },
      { what: "expired", names: "good,expired", says: "expired has expired" },
    ])("$what", async ({ names, says }) => {
      const inputs = { certificate: "pre-shared", pre_shared_certificates: names };
      const { error } = await cluster.refusal(namespace, inputs);
      expect(error).toContain(says);
      expect(error).toContain("pre_shared_certificates can't be used; nothing was changed");
    });
  });
});

/** Lets public DNS lead a host to an address. */
async function pointAt(host: string, address: string): Promise<void> {
  await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address] });
}

const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const GOOGLES = { certificate: "google-managed" };

describe.concurrent("google-managed", () => {
  test("without DNS it ends soon with the record to create; with DNS the next run proves it", async () => {
    const namespace = "record";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    const first = await cluster.deploy(namespace, GOOGLES);
    const { address = "" } = first.outputs;
    expect(first.outputs).toMatchObject({ certificate_status: "Provisioning", changed: "true" });
    expect(first.outputs).not.toHaveProperty("certificate_expires");
    expect(first.outputs).not.toHaveProperty("ca_certificate");
    const record = `create the record ${host}. 300 IN A ${address}`;
    expect(warningsOf(first)).toEqual([
      expect.stringMatching(new RegExp(`^The certificate can't become Active yet\\..*${record}$`)),
    ]);
    expect(first.lines).not.toContain(CALL);

    const second = await cluster.expectUnchanged(namespace, GOOGLES);
    expect(second.outputs).toMatchObject({ address, certificate_status: "Provisioning" });
    expect(warningsOf(second)).toEqual([expect.stringContaining(record)]);

    await pointAt(host, address);
    const third = await cluster.deploy(namespace, GOOGLES);
    expect(third.outputs).toMatchObject({ certificate_status: "Active", changed: "false" });
    expect(third.lines).toContain(CALL);
    expect(warningsOf(third)).toEqual([]);
    const [presented] = await presentedBy(third);
    expect(presented?.issuer).toContain("local-gke public authority");
    expect(Date.parse(third.outputs.certificate_expires ?? "")).toBe(presented?.validToDate.getTime());
    expect((await cluster.expectUnchanged(namespace, GOOGLES)).outputs).toMatchObject({
      certificate_status: "Active",
    });
  });

  test("wait_for: certificate waits while DNS is wrong, and ends when it is set right", async () => {
    const namespace = "insist";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    await pointAt(host, "127.0.0.9");
    const step = await cluster.start(namespace, { ...GOOGLES, wait_for: "certificate" });
    await step.line(/^Google reports FailedNotVisible for insist\.milvus\.io/);
    const { status } = JSON.parse(JSON.stringify(await cluster.get(namespace, "Ingress", INGRESS)));
    await pointAt(host, status.loadBalancer.ingress[0].ip);
    const result = expectSuccess(await step.ended);
    expect(result.outputs).toMatchObject({ certificate_status: "Active" });
    expect(result.lines).toContain(CALL);
    await cluster.expectUnchanged(namespace, { ...GOOGLES, wait_for: "certificate" });
  });

  test("certificate_timeout says what DNS says and what it must say", async () => {
    const namespace = "limit";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    await pointAt(host, "127.0.0.9");
    const inputs = { ...GOOGLES, wait_for: "certificate", certificate_timeout: "10s" };
    const { error, outputs, lines } = await cluster.failure(namespace, inputs);
    expect(error).toContain(`ManagedCertificate ${namespace}/${CERTIFICATE} is not Active after 10s.`);
    const { address } = outputs;
    expect(error).toContain(
      `it is Provisioning (FailedNotVisible); ${host} points to 127.0.0.9; the load balancer is at ${address}: make its A record ${host}. 300 IN A ${address}`,
    );
    expect(error).toContain("certificate_timeout");
    expect(outputs).toMatchObject({ certificate_status: "Provisioning" });
    expect(lines).not.toContain(CALL);
  });

  test("with dns_zone and create_static_ip it becomes Active without anyone's help", async () => {
    const namespace = "alone";
    const host = "alone.zone.milvus.io";
    await cluster.installSmall(namespace);
    await cluster.control("PUT", "dns-zones/alone", { dnsName: "zone.milvus.io." });
    const inputs = {
      ...GOOGLES,
      host,
      static_ip_name: "alone",
      create_static_ip: "true",
      dns_zone: "alone",
    };
    const first = await cluster.deploy(namespace, inputs);
    expect(first.outputs).toMatchObject({ host, certificate_status: "Active", changed: "true" });
    expect(first.lines).toContain(CALL);
    expect(warningsOf(first)).toEqual([]);
    const [presented] = await presentedBy(first);
    expect(presented?.checkHost(host)).toBe(host);
    await cluster.expectUnchanged(namespace, inputs);
  });

  test("an internal load balancer takes its place with a certificate of a Secret", async () => {
    const namespace = "becomes-internal";
    await cluster.installSmall(namespace);
    const external = await cluster.deploy(namespace, { ...GOOGLES, wait_for: "address" });
    expect((await annotationsOf(namespace))[PRE_SHARED]).toMatch(/^mcrt-/);

    const inputs = { load_balancer: "internal" };
    const internal = await cluster.deploy(namespace, inputs);
    expect(internal.outputs.certificate_status).toBe("Active");
    expect(internal.outputs.address).not.toBe(external.outputs.address);
    await presentsUnder(internal, internal.outputs.ca_certificate ?? "");
    expect(await annotationsOf(namespace)).not.toHaveProperty([PRE_SHARED]);
    expect(await cluster.names(namespace, "ManagedCertificate")).toEqual([]);
    await cluster.expectUnchanged(namespace, inputs);
  });

  test("another host: its certificate is made beside the old one, which then goes", async () => {
    const namespace = "moves";
    const [former, next] = [hostOf(namespace), "new.moves.milvus.io"];
    await cluster.installSmall(namespace);
    const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
    await pointAt(former, address);
    expect((await cluster.deploy(namespace, GOOGLES)).outputs).toMatchObject({
      certificate_status: "Active",
    });

    const inputs = { ...GOOGLES, host: next };
    const publicAuthority = await readFile(cluster.gke.env.NODE_EXTRA_CA_CERTS ?? "", "utf8");
    for (const changed of ["true", "false"]) {
      const result = await cluster.deploy(namespace, inputs);
      expect(result.outputs).toMatchObject({ certificate_status: "Provisioning", changed });
      expect(planOf(result).consequences).toEqual([
        `${former} no longer leads to Milvus once the certificate for ${next} is served: its clients get HTTP 404 from then on.`,
      ]);
      // Clients of the former host go on as if nothing happened.
      const asFormer = { ...result, outputs: { ...result.outputs, host: former } };
      expect(await pymilvus(asFormer, publicAuthority)).toMatch(/\d/);
      expect(await hostsOf(namespace)).toEqual([next, former]);
      const [presented] = await handshake(address, former);
      expect(presented?.checkHost(former)).toBe(former);
      expect(await cluster.names(namespace, "ManagedCertificate")).toHaveLength(2);
    }

    await pointAt(next, address);
    const settled = await cluster.deploy(namespace, inputs);
    expect(settled.outputs).toMatchObject({ certificate_status: "Active", changed: "true" });
    expect(await hostsOf(namespace)).toEqual([next]);
    const [presented] = await handshake(address, next);
    expect(presented?.subjectAltName).toBe(`DNS:${next}`);
    expect(await cluster.names(namespace, "ManagedCertificate")).toEqual([
      expect.stringMatching(new RegExp(`^${CERTIFICATE}-[0-9a-f]{8}$`)),
    ]);
    await cluster.expectUnchanged(namespace, inputs);
    await eventuallyPresentsOne(namespace);
  });

  test("CAA records that forbid it are shown", async () => {
    const namespace = "forbidden";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
    const values = ['0 issue "other-authority.example"'];
    await cluster.control("PUT", `dns-records/${host}`, { type: "CAA", values });
    await pointAt(host, address);
    const { error } = await cluster.failure(namespace, GOOGLES);
    expect(error).toContain(`DNS forbids Google to issue a certificate for ${host}.`);
    expect(error).toContain(`FailedCaaForbidden; the CAA records: ${host} has ${values[0]}`);
    expect(error).toContain('`0 issue "pki.goog"`');

    await cluster.control("DELETE", `dns-records/${host}`, { type: "CAA" });
    expect((await cluster.deploy(namespace, GOOGLES)).outputs).toMatchObject({
      certificate_status: "Active",
    });
  });
});

/** Google's controllers clean up behind the action: soon the load balancer has one certificate only. */
async function eventuallyPresentsOne(namespace: string): Promise<void> {
  await vi.waitFor(
    async () =>
      expect(await certificatesAtGoogle(cluster, namespace)).toEqual([expect.stringMatching(/^mcrt-/)]),
    { timeout: 100_000, interval: 100 },
  );
}

describe("google-managed, when Google refuses", () => {
  test("a used-up quota is reported while the former certificate is served", async () => {
    const namespace = "quota";
    await cluster.installSmall(namespace);
    const { address = "" } = (await cluster.deploy(namespace, { wait_for: "address" })).outputs;
    await pointAt(hostOf(namespace), address);
    await cluster.setFault("ssl-certificate-quota", true);
    try {
      const { error } = await cluster.failure(namespace, GOOGLES);
      expect(error).toContain("the Google Cloud project has used up a quota");
      expect(error).toContain("SSL_CERTIFICATES");
    } finally {
      await cluster.setFault("ssl-certificate-quota", false);
    }
  });

  test("FailedRateLimited is an error at the limit", async () => {
    const namespace = "rate";
    await cluster.installSmall(namespace);
    const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
    await cluster.setFault("managed-certificate-rate-limit", true);
    try {
      await pointAt(hostOf(namespace), address);
      const { error } = await cluster.failure(namespace, { ...GOOGLES, certificate_timeout: "10s" });
      expect(error).toContain("is not Active after 10s.");
      expect(error).toContain("it is ProvisioningFailed (FailedRateLimited)");
      expect(error).toContain("the certificate authority's rate limit");
    } finally {
      await cluster.setFault("managed-certificate-rate-limit", false);
    }
    expect((await cluster.deploy(namespace, GOOGLES)).outputs).toMatchObject({
      certificate_status: "Active",
    });
  });

  test("ProvisioningFailedPermanently is final: the next run makes another one and deletes it", async () => {
    const namespace = "permanent";
    await cluster.installSmall(namespace);
    const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
    const step = await cluster.start(namespace, { ...GOOGLES, wait_for: "certificate" });
    await step.line(/^::group::Wait for the certificate/);
    await cluster.setFault("managed-certificate-permanent-failure", true);
    try {
      const { error } = expectFailure(await step.ended);
      expect(error).toContain(`Google can no longer issue ManagedCertificate ${namespace}/${CERTIFICATE}.`);
      expect(error).toContain("ProvisioningFailedPermanently");
    } finally {
      await cluster.setFault("managed-certificate-permanent-failure", false);
    }
    await pointAt(hostOf(namespace), address);
    const next = await cluster.deploy(namespace, GOOGLES);
    expect(next.outputs).toMatchObject({ certificate_status: "Active", changed: "true" });
    expect(await cluster.names(namespace, "ManagedCertificate")).toHaveLength(1);
    await cluster.expectUnchanged(namespace, GOOGLES);
    await eventuallyPresentsOne(namespace);
  });
});

describe("the workflows of docs/certificates.md", () => {
  const namespace = "documented";
  /** What each finds, beside the release; and the objects that it is to make. */
  const WORKFLOWS: Record<string, { secrets?: () => Promise<Record<string, string>>; makes: string[] }> = {
    "Made by the action": { makes: ["BackendConfig", "Secret", "Secret", "Ingress"] },
    "Of your own authority, or a public one": {
      secrets: async () => {
        const { certificate, privateKey } = await certificateFor(HOST, 200, intermediate);
        return { TLS_CERTIFICATE: certificate + intermediate.certificate, TLS_PRIVATE_KEY: privateKey };
      },
      makes: ["BackendConfig", "Secret", "Ingress"],
    },
    "Made by Google": {
      makes: ["static address", "DNS record", "BackendConfig", "ManagedCertificate", "Ingress"],
    },
    "In a Secret that somebody else keeps": { makes: ["BackendConfig", "Ingress"] },
    "At Google already": { makes: ["BackendConfig", "Ingress"] },
  };

  beforeAll(async () => {
    await cluster.installSmall(namespace);
    const pair = await certificateFor(HOST, 200, root);
    await applySecret(cluster, secretWith(namespace, "milvus-certificate", pair), "cert-manager");
    const { certificate, privateKey } = pair;
    for (const name of ["milvus-old", "milvus-new"]) {
      await cluster.control("PUT", `ssl-certificates/${name}`, { certificate, privateKey });
    }
    await cluster.control("PUT", "dns-zones/milvus-io", { dnsName: "milvus.io." });
  });

  test("are all here", () => {
    expect([...DOCUMENTED.keys()]).toEqual(Object.keys(WORKFLOWS));
  });

  test.each([...DOCUMENTED])("%s", async (section, inputs) => {
    const { secrets = async () => ({}), makes } = WORKFLOWS[section] ?? { makes: [] };
    const job = await cluster.job();
    const { outputs } = expectSuccess(
      await job.main({
        ...withSecrets(inputs, await secrets()),
        namespace,
        chart: CHART,
        mode: "plan",
        gcloud_version: "none",
      }),
    );
    const { objects }: { objects: { kind: string; action: string }[] } = JSON.parse(outputs.plan ?? "{}");
    expect(objects.filter(({ action }) => action === "create").map(({ kind }) => kind)).toEqual(makes);
  });
});

test("a certificate that is Active gets a limit of its own until the load balancer presents it", async () => {
  const namespace = "edges";
  await cluster.installSmall(namespace);
  const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
  await cluster.setTime("certificatePresentMs", 25_000);
  try {
    await pointAt(hostOf(namespace), address);
    const early = await cluster.failure(namespace, { ...GOOGLES, certificate_presented_timeout: "1s" });
    expect(early.error).toMatch(
      /^The certificate that Google has issued for edges\.milvus\.io is not presented .* after 1\.0s\.[\s\S]*raise certificate_presented_timeout/,
    );
  } finally {
    await cluster.setTime("certificatePresentMs", DEFAULT_TIMING.certificatePresentMs);
  }
  const patient = await cluster.deploy(namespace, { ...GOOGLES, backends_timeout: "10s" });
  expect(patient.outputs).toMatchObject({ certificate_status: "Active" });
  expect(patient.lines).toContain(CALL);
});
