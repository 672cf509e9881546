import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { KeyPair } from "../../src/loadbalancer/certificate.ts";
import { type Authority, certificateWith, DAY } from "../support/certificates.ts";
import {
  applySecret,
  certificatesAtGoogle,
  googleState,
  secretWith,
  trusting,
} from "./support/certificates.ts";
import { hostOf, type JobOptions, useCluster } from "./support/cluster.ts";
import { CERTIFICATE, INGRESS } from "./support/names.ts";
import { MANAGED_CERTIFICATES } from "./support/page.ts";
import { handshake, type Watched, watchHandshakes } from "./support/tls.ts";

const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";

type Kind = "self-managed" | "secret" | "pre-shared" | "google-managed";

const INPUTS: Record<Kind, Record<string, string>> = {
  "self-managed": {},
  secret: { certificate: "secret", tls_secret: "mine" },
  "pre-shared": { certificate: "pre-shared", pre_shared_certificates: "shared" },
  "google-managed": { certificate: "google-managed" },
};
/** The kinds in an order in which each follows each other one once. */
const CIRCUIT: readonly Kind[] = [
  "self-managed",
  "google-managed",
  "self-managed",
  "secret",
  "google-managed",
  "secret",
  "pre-shared",
  "google-managed",
  "pre-shared",
  "secret",
  "self-managed",
  "pre-shared",
  "self-managed",
];
const SWITCHES = CIRCUIT.slice(1).map((to, index) => ({
  from: CIRCUIT[index] ?? to,
  to,
  /** Whether no other switch leads to that kind later. */
  isLast: CIRCUIT.lastIndexOf(to) === index + 1,
}));

const cluster = useCluster(
  (namespace) => ({ host: hostOf(namespace) }),
  () => jobOptions,
);
let authority: KeyPair & Authority;
/** Options of a job that trusts that authority, beside those that are public. */
let jobOptions: JobOptions;

beforeAll(async () => {
  const request = { subject: "CN=Authority", from: Date.now() - DAY, days: 900, isAuthority: true };
  authority = await certificateWith(request);
  jobOptions = await trusting(cluster, authority);
});

/**
 * Puts a release behind a load balancer with a certificate of its own, to which DNS
 * leads, and returns the address.
 */
async function liveLoadBalancer(namespace: string, dns: "right" | "none"): Promise<string> {
  const host = hostOf(namespace);
  await cluster.installLayer7(namespace);
  await applySecret(cluster, secretWith(namespace, "mine", await certificateFor(host)), "cert-manager");
  const { outputs } = await cluster.deploy(namespace, INPUTS["self-managed"]);
  const { address = "" } = outputs;
  if (dns === "right") await pointHere(host, address);
  return address;
}

function certificateFor(host: string): Promise<KeyPair> {
  const request = { subject: `CN=${host}`, names: [host], from: Date.now() - DAY, days: 200 };
  return certificateWith(request, authority);
}

async function pointHere(host: string, address: string): Promise<void> {
  await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address] });
}

async function fingerprintAt(address: string, namespace: string): Promise<string> {
  const [certificate] = await handshake(address, hostOf(namespace));
  return certificate?.fingerprint256 ?? "";
}

/** What there is of certificates because of a namespace's load balancer: objects, annotations, at Google. */
async function remainsOf(namespace: string) {
  const [{ metadata }, secrets, managed, { sslCertificates, loadBalancers }] = await Promise.all([
    cluster.get(namespace, "Ingress", INGRESS),
    cluster.names(namespace, "Secret"),
    cluster.names(namespace, "ManagedCertificate"),
    googleState(cluster),
  ]);
  const certificates = (isOurs: boolean) =>
    loadBalancers
      .filter(({ ingress }) => (ingress === `${namespace}/${INGRESS}`) === isOurs)
      .flatMap((loadBalancer) => loadBalancer.certificates);
  const masked = (all: string[]) => all.map((name) => name.replace(/^(mcrt|k8s2-cr)-.*/, "$1")).sort();
  const others = new Set(certificates(false));
  return {
    secrets,
    managed,
    named: metadata.annotations?.[MANAGED_CERTIFICATES],
    preShared: masked((metadata.annotations?.[PRE_SHARED] ?? "").split(",").filter(Boolean)),
    attached: masked(certificates(true)),
    atGoogle: masked(sslCertificates.filter((name) => !others.has(name))),
  };
}

/** What each kind of certificate leaves. */
const REMAINS: Record<Kind, Awaited<ReturnType<typeof remainsOf>>> = {
  "self-managed": {
    secrets: ["mine", CERTIFICATE, `${CERTIFICATE}-ca`],
    managed: [],
    named: undefined,
    preShared: [],
    attached: ["k8s2-cr"],
    atGoogle: ["k8s2-cr", "shared"],
  },
  secret: {
    secrets: ["mine"],
    managed: [],
    named: undefined,
    preShared: [],
    attached: ["k8s2-cr"],
    atGoogle: ["k8s2-cr", "shared"],
  },
  "pre-shared": {
    secrets: ["mine"],
    managed: [],
    named: undefined,
    preShared: ["shared"],
    attached: ["shared"],
    atGoogle: ["shared"],
  },
  "google-managed": {
    secrets: ["mine"],
    managed: [CERTIFICATE],
    named: CERTIFICATE,
    preShared: ["mcrt"],
    attached: ["mcrt"],
    atGoogle: ["mcrt", "shared"],
  },
};

/** Google's controllers clean up behind the action: what they have let go of is gone soon. */
async function leaves(namespace: string, kind: Kind): Promise<void> {
  await vi.waitFor(async () => expect(await remainsOf(namespace)).toEqual(REMAINS[kind]), {
    timeout: 100_000,
    interval: 100,
  });
}

/** Returns what every handshake must have gone well for. */
function expectUnbroken({ made, failures }: Watched): void {
  expect(failures).toEqual([]);
  // A switch takes less than a second, on a quiet machine.
  expect(made).toBeGreaterThan(10);
}

describe("from each kind of certificate to each other one, on one live load balancer", () => {
  const namespace = "matrix";
  let address: string;
  let shared: KeyPair;
  beforeAll(async () => {
    shared = await certificateFor(hostOf(namespace));
    const { certificate, privateKey } = shared;
    await cluster.control("PUT", "ssl-certificates/shared", { certificate, privateKey });
    address = await liveLoadBalancer(namespace, "right");
    await leaves(namespace, "self-managed");
  });

  test.each(SWITCHES)("$from to $to", async ({ to, isLast }) => {
    const before = await fingerprintAt(address, namespace);
    const watch = watchHandshakes(address, hostOf(namespace));
    const { outputs } = await cluster.deploy(namespace, INPUTS[to]);
    await leaves(namespace, to);
    const after = await fingerprintAt(address, namespace);
    const watched = await watch.stop();
    expectUnbroken(watched);
    expect(watched.presented).toEqual([before, after]);
    expect(outputs).toMatchObject({ address, changed: "true", certificate_status: "Active" });
    expect(after).toBe(await fingerprintOf(to));

    // What a kind leaves is the same each time: once each is enough.
    if (isLast) await cluster.expectUnchanged(namespace, INPUTS[to]);
  });

  /**
   * The fingerprint of the certificate that a kind is to present; of Google's it is
   * known only who has issued it.
   */
  async function fingerprintOf(kind: Kind): Promise<string> {
    if (kind === "self-managed" || kind === "secret") {
      const name = kind === "secret" ? "mine" : CERTIFICATE;
      const { data } = await cluster.get(namespace, "Secret", name);
      return new X509Certificate(Buffer.from(data?.["tls.crt"] ?? "", "base64")).fingerprint256;
    }
    if (kind === "pre-shared") return new X509Certificate(shared.certificate).fingerprint256;
    const [presented] = await handshake(address, hostOf(namespace));
    expect(presented?.issuer).toContain("CN=local-gke public authority");
    return presented?.fingerprint256 ?? "";
  }
});

describe.concurrent("on the way to Google's certificate", () => {
  test("without DNS the old one goes on being served, run after run", async () => {
    const namespace = "waiting-for-dns";
    const address = await liveLoadBalancer(namespace, "none");
    const before = await fingerprintAt(address, namespace);
    const watch = watchHandshakes(address, hostOf(namespace));
    for (const changed of ["true", "false"]) {
      const { outputs, lines } = await cluster.deploy(namespace, INPUTS["google-managed"]);
      expect(outputs).toMatchObject({ changed, certificate_status: "Provisioning", address });
      expect(lines.join("\n")).toMatch(
        /^::warning title=Milvus on GKE::The certificate can't become Active yet\./m,
      );
    }
    const { presented, ...watched } = await watch.stop();
    expectUnbroken({ presented, ...watched });
    expect(presented).toEqual([before]);
    expect(await cluster.names(namespace, "Secret")).toEqual(["mine", CERTIFICATE, `${CERTIFICATE}-ca`]);

    // And back.
    const { outputs } = await cluster.deploy(namespace, INPUTS["self-managed"]);
    expect(outputs.certificate_status).toBe("Active");
    expect(await fingerprintAt(address, namespace)).toBe(before);
    await vi.waitFor(async () => {
      expect(await certificatesAtGoogle(cluster, namespace)).toEqual([expect.stringMatching(/^k8s2-cr-/)]);
      expect(await cluster.names(namespace, "ManagedCertificate")).toEqual([]);
    }, 100_000);
  });

  test("the next run goes on from a run that was killed half-way", async () => {
    const namespace = "killed";
    const host = hostOf(namespace);
    const address = await liveLoadBalancer(namespace, "none");
    const before = await fingerprintAt(address, namespace);
    const watch = watchHandshakes(address, host);
    const inputs = { ...INPUTS["google-managed"], wait_for: "certificate" };
    const step = await cluster.start(namespace, inputs);
    await step.line(/^::group::Wait for the certificate/);
    step.kill("SIGKILL");
    await step.ended;
    expect(await cluster.names(namespace, "ManagedCertificate")).toEqual([CERTIFICATE]);
    expect(await cluster.names(namespace, "Secret")).toEqual(["mine", CERTIFICATE, `${CERTIFICATE}-ca`]);
    expect(await fingerprintAt(address, namespace)).toBe(before);

    await pointHere(host, address);
    const { outputs } = await cluster.deploy(namespace, INPUTS["google-managed"]);
    expect(outputs).toMatchObject({ certificate_status: "Active", changed: "true" });
    await vi.waitFor(
      async () =>
        expect(await certificatesAtGoogle(cluster, namespace)).toEqual([expect.stringMatching(/^mcrt-/)]),
      100_000,
    );
    const after = await fingerprintAt(address, namespace);
    const watched = await watch.stop();
    expectUnbroken(watched);
    expect(watched.presented).toEqual([before, after]);
    expect(await cluster.names(namespace, "Secret")).toEqual(["mine"]);
    await cluster.expectUnchanged(namespace, INPUTS["google-managed"]);
  });
});
