import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { milvusPython } from "../../local-gke/milvus/python.ts";
import { run } from "../../src/base/process.ts";
import { certificatesIn, type KeyPair } from "../../src/loadbalancer/certificate.ts";
import { makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { type Authority, certificateWith, DAY, encrypted, selfSigned } from "../support/certificates.ts";
import { applySecret, certificatesAtGoogle, secretWith, trusting } from "./support/certificates.ts";
import { CHART, HOST, hostOf, type JobOptions, useCluster } from "./support/cluster.ts";
import { documentedInputs, withSecrets } from "./support/documented.ts";
import type { StepResult } from "./support/job.ts";
import { CERTIFICATE, FIELD_MANAGER, INGRESS } from "./support/names.ts";
import { expectFailure, expectSuccess, planOf, warningsOf } from "./support/results.ts";
import { handshake } from "./support/tls.ts";
import { traces } from "./support/traces.ts";
import { watchPrograms } from "./support/watch-programs.ts";

const DOCUMENTED = documentedInputs("certificates.md");
const CALL = "::group::Call Milvus through the load balancer";

const cluster = useCluster(
  (namespace) => ({ host: hostOf(namespace) }),
  () => jobOptions,
);
/** Has a release that no run changes. */
const UNTOUCHED = "untouched";

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
  await cluster.installSmall(UNTOUCHED);
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
    await cluster.installLayer7(namespace);
    const first = await cluster.deploy(namespace);
    const { ca_certificate: authority = "", certificate_expires, milvus_version } = first.outputs;
    const [made] = await presentsUnder(first, authority);
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
  });

  test("one that is its own authority stays; clients are given the next authority before it signs", async () => {
    const namespace = "own-authority";
    const host = hostOf(namespace);
    await cluster.installLayer7(namespace);
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
    await cluster.installLayer7(namespace);
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
    const programs = watchPrograms(job);
    const first = expectSuccess(await step.ended.finally(programs.stop));
    const chain = await presentedBy(first);
    expect(chain.map(({ subject }) => subject)).toEqual([`CN=${hostOf(namespace)}`, "CN=Intermediate"]);
    await presents(first, one.certificate);
    // Its authority is known to its clients.
    expect(first.outputs.ca_certificate).toBeUndefined();
    const expires = new X509Certificate(one.certificate).validToDate.getTime();
    expect(Date.parse(first.outputs.certificate_expires ?? "")).toBe(expires);
    expect(await pymilvus(first, root.certificate)).toBe(first.outputs.milvus_version);

    expect([...programs.seen.programs]).toContain("kubectl");
    const post = await job.post();
    const lines = one.privateKey.split("\n").slice(1, -2);
    for (const line of lines) {
      for (const text of [traces(first), traces(post), ...programs.seen.texts])
        expect(text).not.toContain(line);
    }

    await cluster.expectUnchanged(namespace, inputsWith(one));
    const changed = await cluster.deploy(namespace, inputsWith(two));
    expect(changed.outputs.changed).toBe("true");
    await presents(changed, two.certificate);

    const made = await cluster.deploy(namespace);
    expect(made.lines.join("\n")).toContain("is replaced: it came from the input tls_certificate");
    await presentsUnder(made, made.outputs.ca_certificate ?? "");
    await cluster.expectUnchanged(namespace);
  });

  // Each problem alone: __tests__/loadbalancer/given-certificate.test.ts.
  test("the user's own that won't do is refused before anything is changed", async () => {
    const { certificate, privateKey } = await certificateFor("other.milvus.io");
    const inputs = { tls_certificate: certificate, tls_private_key: encrypted(privateKey) };
    const result = await cluster.refusal(UNTOUCHED, inputs);
    expect(result.error).toMatch(/tls_certificate is not for untouched\.milvus\.io/);
    expect(result.error).toMatch(/tls_private_key is encrypted/);
    for (const line of inputs.tls_private_key.split("\n").slice(1, -2))
      expect(traces(result)).not.toContain(line);
  });
});

describe.concurrent("somebody else's", () => {
  test("a Secret: presented, whatever its type, never written; a warning near its end", async () => {
    const namespace = "their-secret";
    const host = hostOf(namespace);
    const inputs = { certificate: "secret", tls_secret: "opaque" };
    await cluster.installLayer7(namespace);
    // What else won't do: __tests__/loadbalancer/choose-certificate.test.ts.
    const { error } = await cluster.refusal(namespace, inputs);
    expect(error).toContain("There is no Secret their-secret/opaque; nothing was changed.");
    expect(error).toContain("tls_secret");

    const pair = await certificateFor(host, 12);
    await applySecret(cluster, secretWith(namespace, "opaque", pair, "Opaque"), "cert-manager");
    const first = await cluster.deploy(namespace, inputs);
    await presents(first, pair.certificate);
    expect(warningsOf(first)).toEqual([
      expect.stringMatching(/Secret their-secret\/opaque: it expires in \d+ days.* must renew it/),
    ]);
    expect(first.outputs.ca_certificate).toBeUndefined();
    await cluster.expectUnchanged(namespace, inputs);

    // It is renewed by whoever keeps it: the next run has it presented.
    const renewed = await certificateFor(host);
    await applySecret(cluster, secretWith(namespace, "opaque", renewed, "Opaque"), "cert-manager");
    const later = await cluster.deploy(namespace, inputs);
    await presents(later, renewed.certificate);
    expect(warningsOf(later)).toEqual([]);

    const typed = await certificateFor(host);
    await applySecret(cluster, secretWith(namespace, "typed", typed), "cert-manager");
    await presents(await cluster.deploy(namespace, { ...inputs, tls_secret: "typed" }), typed.certificate);

    expect(await cluster.names(namespace, "Secret")).toEqual(["opaque", "typed"]);
    expect((await cluster.writes(namespace)).filter((write) => write.includes(" secrets/"))).toEqual([]);
  });

  async function putAtGoogle(name: string, { certificate, privateKey }: KeyPair): Promise<void> {
    await cluster.control("PUT", `ssl-certificates/${name}`, { certificate, privateKey });
  }

  test("one at Google, then several; a run without Google's API says that it can't check them", async () => {
    const namespace = "shared-certificate";
    await cluster.installLayer7(namespace);
    const own = await certificateFor(hostOf(namespace), 200, root);
    await Promise.all([
      putAtGoogle("shared-other", await certificateFor("other.milvus.io")),
      putAtGoogle("shared-own", own),
    ]);
    const named = (pre_shared_certificates: string) => ({
      certificate: "pre-shared",
      pre_shared_certificates,
    });
    // What else won't do: __tests__/loadbalancer/pre-shared-certificates.test.ts.
    const { error } = await cluster.refusal(namespace, named("shared-own,no-such"));
    expect(error).toContain("there is no SSL certificate no-such in the project");
    expect(error).toContain("pre_shared_certificates can't be used; nothing was changed");

    const first = await cluster.deploy(namespace, named("shared-own"));
    await presents(first, own.certificate);
    expect(first.outputs).toMatchObject({ certificate_status: "Active" });
    expect(Date.parse(first.outputs.certificate_expires ?? "")).toBe(
      new X509Certificate(own.certificate).validToDate.getTime(),
    );

    const several = named("shared-other\nshared-own");
    const ways = {
      kubeconfig: await readFile(cluster.gke.kubeconfig, "utf8"),
      location: "",
      cluster_name: "",
    };
    const second = await cluster.deploy(namespace, { ...several, ...ways }, { google: false });
    expect(second.lines.join("\n")).toMatch(/Can't check whether Google has shared-other/);
    expect(second.lines).toContain(CALL);
    expect(second.outputs).toMatchObject({ certificate_status: "Active", changed: "true" });
    expect(await certificatesAtGoogle(cluster, namespace)).toEqual(["shared-other", "shared-own"]);
    await presents(second, own.certificate);
    await cluster.expectUnchanged(namespace, several);
  });
});

/** Lets public DNS lead a host to an address. */
async function pointAt(host: string, address: string): Promise<void> {
  await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address] });
}

const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const GOOGLES = { certificate: "google-managed" };

describe.concurrent("google-managed", () => {
  test("without DNS a run ends soon with the record to create, with wait_for: certificate it waits; an internal load balancer has none", async () => {
    const namespace = "record";
    const host = hostOf(namespace);
    await cluster.installLayer7(namespace);
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

    // The limit's error says what DNS says and what it must say.
    await pointAt(host, "127.0.0.9");
    const waiting = { ...GOOGLES, wait_for: "certificate" };
    const limited = await cluster.failure(namespace, { ...waiting, certificate_timeout: "2s" });
    expect(limited.error).toContain(
      `ManagedCertificate ${namespace}/${CERTIFICATE} is not Active after 2.0s.`,
    );
    expect(limited.error).toContain(
      `it is Provisioning (FailedNotVisible); ${host} points to 127.0.0.9; the load balancer is at ${address}: make its A record ${host}. 300 IN A ${address}`,
    );
    expect(limited.error).toContain("certificate_timeout");
    expect(limited.outputs).toMatchObject({ certificate_status: "Provisioning" });
    expect(limited.lines).not.toContain(CALL);

    // DNS is set right while a run waits.
    const step = await cluster.start(namespace, waiting);
    await step.line(/^Google reports FailedNotVisible for record\.milvus\.io/);
    await pointAt(host, address);
    const patient = expectSuccess(await step.ended);
    expect(patient.outputs).toMatchObject({ certificate_status: "Active" });
    expect(patient.lines).toContain(CALL);
    const [presented] = await presentedBy(patient);
    expect(presented?.issuer).toContain("local-gke public authority");
    expect(Date.parse(patient.outputs.certificate_expires ?? "")).toBe(presented?.validToDate.getTime());
    expect((await cluster.expectUnchanged(namespace, GOOGLES)).outputs).toMatchObject({
      certificate_status: "Active",
    });

    // An internal load balancer takes its place with a certificate of a Secret.
    expect((await annotationsOf(namespace))[PRE_SHARED]).toMatch(/^mcrt-/);
    const inputs = { load_balancer: "internal" };
    const internal = await cluster.deploy(namespace, inputs);
    expect(internal.outputs.certificate_status).toBe("Active");
    expect(internal.outputs.address).not.toBe(address);
    await presentsUnder(internal, internal.outputs.ca_certificate ?? "");
    expect(await annotationsOf(namespace)).not.toHaveProperty([PRE_SHARED]);
    expect(await cluster.names(namespace, "ManagedCertificate")).toEqual([]);
    await cluster.expectUnchanged(namespace, inputs);
  });

  test("CAA records that forbid it are shown; another host's certificate is made beside the old one, which then goes", async () => {
    const namespace = "moves";
    const [former, next] = [hostOf(namespace), "new.moves.milvus.io"];
    await cluster.installLayer7(namespace);
    const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;
    const values = ['0 issue "other-authority.example"'];
    await cluster.control("PUT", `dns-records/${former}`, { type: "CAA", values });
    await pointAt(former, address);
    const { error } = await cluster.failure(namespace, GOOGLES);
    expect(error).toContain(`DNS forbids Google to issue a certificate for ${former}.`);
    expect(error).toContain(`FailedCaaForbidden; the CAA records: ${former} has ${values[0]}`);
    expect(error).toContain('`0 issue "pki.goog"`');

    // With DNS in order the next run proves it.
    await cluster.control("DELETE", `dns-records/${former}`, { type: "CAA" });
    const proven = await cluster.deploy(namespace, GOOGLES);
    expect(proven.outputs).toMatchObject({ certificate_status: "Active", changed: "false" });
    expect(proven.lines).toContain(CALL);
    expect(warningsOf(proven)).toEqual([]);

    const inputs = { ...GOOGLES, host: next };
    const publicAuthority = await readFile(cluster.gke.env.NODE_EXTRA_CA_CERTS ?? "", "utf8");
    for (const changed of ["true", "false"]) {
      const result = await cluster.deploy(namespace, inputs);
      expect(result.outputs).toMatchObject({ certificate_status: "Provisioning", changed });
      expect(planOf(result).consequences).toEqual([
        `${former} no longer leads to Milvus once the certificate for ${next} is served: its clients get HTTP 404 from then on.`,
      ]);
      expect(await hostsOf(namespace)).toEqual([next, former]);
      const [presented] = await handshake(address, former);
      expect(presented?.checkHost(former)).toBe(former);
      expect(await cluster.names(namespace, "ManagedCertificate")).toHaveLength(2);
    }
    // Clients of the former host go on as if nothing happened.
    expect(await pymilvus(proven, publicAuthority)).toBe(proven.outputs.milvus_version);

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
});

describe.concurrent("the workflows of docs/certificates.md", () => {
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
    const pair = await certificateFor(HOST, 200, root);
    await applySecret(cluster, secretWith(UNTOUCHED, "milvus-certificate", pair), "cert-manager");
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
        namespace: UNTOUCHED,
        chart: CHART,
        mode: "plan",
        gcloud_version: "none",
      }),
    );
    const { objects }: { objects: { kind: string; action: string }[] } = JSON.parse(outputs.plan ?? "{}");
    expect(objects.filter(({ action }) => action === "create").map(({ kind }) => kind)).toEqual(makes);
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

// What follows changes the whole cluster: nothing else runs beside it.
test("google-managed, when Google refuses: a rate limit, a final failure, a late presentation, a quota", async () => {
  const namespace = "google-refuses";
  const host = hostOf(namespace);
  await cluster.installLayer7(namespace);
  const { address = "" } = (await cluster.deploy(namespace, GOOGLES)).outputs;

  // FailedRateLimited is an error at the limit.
  await cluster.withFault("managed-certificate-rate-limit", async () => {
    await pointAt(host, address);
    const { error } = await cluster.failure(namespace, { ...GOOGLES, certificate_timeout: "3s" });
    expect(error).toContain("is not Active after 3.0s.");
    expect(error).toContain("it is ProvisioningFailed (FailedRateLimited)");
    expect(error).toContain("the certificate authority's rate limit");
    // So that it isn't issued when the limit is gone.
    await cluster.control("DELETE", `dns-records/${host}`);
  });

  // ProvisioningFailedPermanently is final.
  const step = await cluster.start(namespace, { ...GOOGLES, wait_for: "certificate" });
  await step.line(/^::group::Wait for the certificate/);
  const final = await cluster.withFault("managed-certificate-permanent-failure", async () =>
    expectFailure(await step.ended),
  );
  expect(final.error).toContain(`Google can no longer issue ManagedCertificate ${namespace}/${CERTIFICATE}.`);
  expect(final.error).toContain("ProvisioningFailedPermanently");

  // The next run makes another one. That it is presented has a limit of its own, longer than that of backends.
  await pointAt(host, address);
  await cluster.setTime("certificatePresentMs", 8_000);
  try {
    const limits = { backends_timeout: "1s", certificate_presented_timeout: "2s" };
    const early = await cluster.failure(namespace, { ...GOOGLES, ...limits });
    expect(early.error).toMatch(
      /^The certificate that Google has issued for google-refuses\.milvus\.io is not presented .* after 2\.0s\.[\s\S]*raise certificate_presented_timeout/,
    );
  } finally {
    await cluster.setTime("certificatePresentMs", DEFAULT_TIMING.certificatePresentMs);
  }
  const patient = await cluster.deploy(namespace, { ...GOOGLES, backends_timeout: "1s" });
  expect(patient.outputs).toMatchObject({ certificate_status: "Active" });
  expect(patient.lines).toContain(CALL);
  expect(await cluster.names(namespace, "ManagedCertificate")).toHaveLength(1);
  await cluster.expectUnchanged(namespace, GOOGLES);
  await eventuallyPresentsOne(namespace);

  // A used-up quota is reported while the former certificate is served.
  const next = `new.${host}`;
  await pointAt(next, address);
  await cluster.withFault("ssl-certificate-quota", async () => {
    const { error } = await cluster.failure(namespace, { ...GOOGLES, host: next });
    expect(error).toContain("the Google Cloud project has used up a quota");
    expect(error).toContain("SSL_CERTIFICATES");
    const [presented] = await handshake(address, host);
    expect(presented?.checkHost(host)).toBe(host);
  });
});
