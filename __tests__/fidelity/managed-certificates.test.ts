import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import { selfSigned } from "../../local-gke/milvus/certificate.ts";
import { eventually, LoadBalancerLab, type Namespace } from "../integration/support/load-balancer-lab.ts";

const MANAGED = "networking.gke.io/managed-certificates";
const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const SSL_CERT = "ingress.kubernetes.io/ssl-cert";
const STATIC_IP = "kubernetes.io/ingress.global-static-ip-name";
const HTTPS_RULE = "ingress.kubernetes.io/https-forwarding-rule";
const NAME = /^mcrt-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Long enough for some handshakes: a moment without a certificate would be noticed. */
const VISIBLE_MS = 20;
/** TLS's word for a server that has no certificate to present. */
const NO_CERTIFICATE = /handshake failure|no shared cipher/i;

let lab: LoadBalancerLab;

beforeAll(async () => {
  lab = await LoadBalancerLab.start("127.97.76", {
    dnsCheckMs: 50,
    certificateIssueMs: 20,
    addressDelayMs: 0,
  });
});

afterAll(() => lab?.stop());

/**
 * Makes a namespace with an Ingress `milvus` of a host and the ManagedCertificate `milvus` that it refers to.
 */
async function managedIngress(name: string, domains: string[], annotations: Record<string, string> = {}) {
  const namespace = await lab.namespace(name);
  const [host = ""] = domains;
  await Promise.all([
    namespace.createManagedCertificate("milvus", domains),
    namespace.createIngress("milvus", host, { annotations: { [MANAGED]: "milvus", ...annotations } }),
  ]);
  return namespace;
}

/** Lets public DNS lead a host to an address. */
function pointAt(host: string, address: string): void {
  lab.cloud.dns.set(host, "A", [address]);
}

async function hasStatus(namespace: Namespace, status: string, name = "milvus"): Promise<void> {
  await eventually(async () => expect(await namespace.certificateStatus(name)).toBe(status));
}

describe("from the Ingress to a certificate that is trusted", () => {
  test("an Ingress and its ManagedCertificate; DNS when the address is known", async () => {
    const host = "together.milvus.io";
    const namespace = await lab.namespace("together");
    await namespace.createIngress("milvus", host, { annotations: { [MANAGED]: "milvus" } });
    // As long as no certificate is attached there is nothing to serve.
    await namespace.hasEvent("Ingress", "milvus", /^Warning Sync: .*both HTTP and HTTPS are disabled/);
    await namespace.createManagedCertificate("milvus", [host]);
    const address = await namespace.address("milvus");
    await hasStatus(namespace, `Provisioning: ${host}=FailedNotVisible`);
    await expect(lab.handshake(address, host)).rejects.toThrow(NO_CERTIFICATE);

    pointAt(host, address);
    await hasStatus(namespace, `Active: ${host}=Active`);
    const { metadata, status } = await namespace.managedCertificate("milvus");
    expect(status?.certificateName).toMatch(NAME);
    expect(Date.parse(status?.expireTime ?? "")).toBeGreaterThan(Date.now());
    expect(metadata.managedFields.map(({ manager }) => manager)).toContain("managed-certificate-controller");
    expect(await lab.handshake(address, host)).toEqual({ subject: `CN=${host}`, trusted: true });
    expect(await lab.handshake(address, "other.milvus.io")).toEqual({
      subject: `CN=${host}`,
      trusted: false,
    });

    expect(await namespace.annotation("milvus", PRE_SHARED)).toBe(status?.certificateName);
    expect(await namespace.annotation("milvus", SSL_CERT)).toBe(status?.certificateName);
    await namespace.hasEvent("ManagedCertificate", "milvus", /^Normal Create: Create SslCertificate mcrt-/);
  });

  test("with HTTP allowed the address comes first, HTTPS with the certificate", async () => {
    const host = "with-http.milvus.io";
    const namespace = await lab.namespace("with-http");
    await namespace.createIngress("milvus", host, {
      annotations: { [MANAGED]: "milvus", "kubernetes.io/ingress.allow-http": "true" },
    });
    const address = await namespace.address("milvus");
    expect(await namespace.annotation("milvus", HTTPS_RULE)).toBeUndefined();
    await namespace.hasEvent(
      "Ingress",
      "milvus",
      /^Warning MissingCertificate: ManagedCertificate with-http:milvus missing$/,
    );
    pointAt(host, address);
    await namespace.createManagedCertificate("milvus", [host]);
    await hasStatus(namespace, `Active: ${host}=Active`);
    await eventually(async () =>
      expect(await namespace.annotation("milvus", HTTPS_RULE)).toMatch(/^k8s2-fs-/),
    );
    expect(await lab.handshake(address, host)).toMatchObject({ trusted: true });
  });

  test("one that no Ingress refers to stays Provisioning, whatever DNS says", async () => {
    const namespace = await lab.namespace("unattached");
    pointAt("unattached.milvus.io", "127.97.76.250");
    await namespace.createManagedCertificate("milvus", ["unattached.milvus.io"]);
    await hasStatus(namespace, "Provisioning: unattached.milvus.io=Provisioning");
    const other = await managedIngress("attached", ["attached.milvus.io"]);
    await hasStatus(other, "Provisioning: attached.milvus.io=FailedNotVisible");
    expect(await namespace.certificateStatus("milvus")).toBe(
      "Provisioning: unattached.milvus.io=Provisioning",
    );
  });

  test("a certificate that Google is slow to create is looked for in vain at first", async () => {
    const namespace = await lab.namespace("slow");
    lab.cloud.setSslCertificate({ name: "slow", ...(await selfSigned("slow.milvus.io")) });
    await namespace.createIngress("milvus", "slow.milvus.io", { annotations: { [PRE_SHARED]: "slow" } });
    await namespace.address("milvus");
    lab.controllers.timing.insertDelayMs = 1500;
    try {
      await namespace.createManagedCertificate("milvus", ["slow.milvus.io"]);
      await namespace.annotateIngress("milvus", { [MANAGED]: "milvus" });
      await namespace.hasEvent(
        "Ingress",
        "milvus",
        /The resource 'projects\/my-project\/global\/sslCertificates\/mcrt-[0-9a-f-]+' was not found, notFound$/,
      );
    } finally {
      lab.controllers.timing.insertDelayMs = 0;
    }
  });
});

describe("what DNS and the authority say", () => {
  const cases: {
    what: string;
    namespace: string;
    /** Breaks it and returns how to mend it. */
    wrong: (host: string, address: string) => () => void;
    status: string;
  }[] = [
    {
      what: "DNS points elsewhere",
      namespace: "elsewhere",
      wrong: (host, address) => {
        pointAt(host, "127.97.76.251");
        return () => pointAt(host, address);
      },
      status: "Provisioning: HOST=FailedNotVisible",
    },
    {
      what: "one of two A records points elsewhere",
      namespace: "half",
      wrong: (host, address) => {
        lab.cloud.dns.set(host, "A", [address, "127.97.76.251"]);
        return () => pointAt(host, address);
      },
      status: "Provisioning: HOST=FailedNotVisible",
    },
    {
      what: "an AAAA record points elsewhere",
      namespace: "ipv6",
      wrong: (host, address) => {
        pointAt(host, address);
        lab.cloud.dns.set(host, "AAAA", ["2001:db8::1"]);
        return () => lab.cloud.dns.delete(host, "AAAA");
      },
      status: "Provisioning: HOST=FailedNotVisible",
    },
    {
      what: "CAA records of a domain above let another authority issue only",
      namespace: "caa",
      wrong: (host, address) => {
        pointAt(host, address);
        lab.cloud.dns.set(host.replace(/^[^.]+\./, ""), "CAA", ['0 issue "other-authority.example"']);
        return () => lab.cloud.dns.set(host, "CAA", ['0 issue "pki.goog; cansignhttpexchanges=yes"']);
      },
      status: "ProvisioningFailed: HOST=FailedCaaForbidden",
    },
    {
      what: "CAA records can't be retrieved",
      namespace: "caa-checking",
      wrong: (host, address) => withFault("managed-certificate-caa-checking", host, address),
      status: "ProvisioningFailed: HOST=FailedCaaChecking",
    },
    {
      what: "the authority's limit is reached",
      namespace: "rate",
      wrong: (host, address) => withFault("managed-certificate-rate-limit", host, address),
      status: "ProvisioningFailed: HOST=FailedRateLimited",
    },
  ];

  test.each(cases)(
    "$what: reported, and mended without anyone's help",
    async ({ namespace: name, ...given }) => {
      const host = `ingress.${name}.milvus.io`;
      // Reserved, so that it is wrong from the first look on.
      const address = lab.cloud.reserveAddress(name);
      const mend = given.wrong(host, address);
      const namespace = await managedIngress(name, [host], { [STATIC_IP]: name });
      await hasStatus(namespace, given.status.replace("HOST", host));
      await expect(namespace.address("milvus")).resolves.toBe(address);
      await expect(lab.handshake(address, host)).rejects.toThrow(NO_CERTIFICATE);
      mend();
      await hasStatus(namespace, `Active: ${host}=Active`);
      expect(await lab.handshake(address, host)).toMatchObject({ trusted: true });
    },
  );

  test("each domain counts", async () => {
    const domains = ["a.several.milvus.io", "b.several.milvus.io"];
    const namespace = await managedIngress("several", domains);
    const address = await namespace.address("milvus");
    pointAt("a.several.milvus.io", address);
    await hasStatus(
      namespace,
      "Provisioning: a.several.milvus.io=Active b.several.milvus.io=FailedNotVisible",
    );
    await expect(lab.handshake(address, "a.several.milvus.io")).rejects.toThrow(NO_CERTIFICATE);
    lab.cloud.dns.set("b.several.milvus.io", "CNAME", ["a.several.milvus.io."]);
    await hasStatus(namespace, "Active: a.several.milvus.io=Active b.several.milvus.io=Active");
    for (const domain of domains)
      expect(await lab.handshake(address, domain)).toMatchObject({ trusted: true });
  });

  test("a permanent failure is final: only another ManagedCertificate becomes Active", async () => {
    const host = "permanent.milvus.io";
    lab.cloud.setFault("managed-certificate-permanent-failure", true);
    const namespace = await managedIngress("permanent", [host]);
    const address = await namespace.address("milvus");
    pointAt(host, address);
    await hasStatus(namespace, `ProvisioningFailedPermanently: ${host}=FailedNotVisible`);
    lab.cloud.setFault("managed-certificate-permanent-failure", false);
    const { status: failed } = await namespace.managedCertificate("milvus");
    await namespace.createManagedCertificate("second", [host]);
    await namespace.annotateIngress("milvus", { [MANAGED]: "second" });
    await hasStatus(namespace, `Active: ${host}=Active`, "second");
    expect(await namespace.certificateStatus("milvus")).toMatch(/^ProvisioningFailedPermanently/);
    expect(await lab.handshake(address, host)).toMatchObject({ trusted: true });

    await namespace.delete("networking.gke.io/v1", "ManagedCertificate", "milvus");
    await letGoOf(namespace, failed?.certificateName ?? "");
    expect(await lab.handshake(address, host)).toMatchObject({ trusted: true });
  });

  function withFault(fault: Fault, host: string, address: string): () => void {
    lab.cloud.setFault(fault, true);
    pointAt(host, address);
    return () => lab.cloud.setFault(fault, false);
  }
});

/**
 * Resolves when a certificate whose ManagedCertificate was deleted is gone: the controller takes its name
 * from the Ingress when that changes, and has it deleted at one of the tries that follow.
 */
async function letGoOf(namespace: Namespace, certificate: string): Promise<void> {
  let touches = 0;
  await eventually(async () => {
    touches += 1;
    await namespace.annotateIngress("milvus", { "lab/touch": `${touches}` });
    expect(await namespace.annotation("milvus", PRE_SHARED)).not.toContain(certificate);
  });
  await eventually(async () => expect([...lab.cloud.sslCertificates.keys()]).not.toContain(certificate));
}

describe("what the controller does to ManagedCertificates and Ingresses that change", () => {
  test("the names of others in pre-shared-cert stay", async () => {
    lab.cloud.setSslCertificate({ name: "by-hand", ...(await selfSigned("by-hand.milvus.io")) });
    const host = "others.milvus.io";
    const namespace = await managedIngress("others", [host], { [PRE_SHARED]: "by-hand" });
    const address = await namespace.address("milvus");
    pointAt(host, address);
    await hasStatus(namespace, `Active: ${host}=Active`);
    const { status } = await namespace.managedCertificate("milvus");
    expect(await namespace.annotation("milvus", PRE_SHARED)).toBe(`by-hand,${status?.certificateName}`);
    expect(await lab.handshake(address, "by-hand.milvus.io")).toMatchObject({
      subject: "CN=by-hand.milvus.io",
    });

    // The annotation alone takes nothing away.
    await namespace.annotateIngress("milvus", { [MANAGED]: null });
    await namespace.delete("networking.gke.io/v1", "ManagedCertificate", "milvus");
    await letGoOf(namespace, status?.certificateName ?? "");
    expect(await namespace.annotation("milvus", PRE_SHARED)).toBe("by-hand");
    await eventually(async () => expect(await namespace.annotation("milvus", SSL_CERT)).toBe("by-hand"));
  });

  test("other domains in a ManagedCertificate in use: refused until the Ingress has let go of the old ones", async () => {
    const namespace = await managedIngress("domains", ["old.domains.milvus.io"], {
      "kubernetes.io/ingress.allow-http": "true",
    });
    const address = await namespace.address("milvus");
    for (const host of ["old.domains.milvus.io", "new.domains.milvus.io"]) pointAt(host, address);
    await hasStatus(namespace, "Active: old.domains.milvus.io=Active");
    const before = await namespace.managedCertificate("milvus");

    await namespace.patch("networking.gke.io/v1", "ManagedCertificate", "milvus", {
      spec: { domains: ["new.domains.milvus.io"] },
    });
    await namespace.hasEvent(
      "ManagedCertificate",
      "milvus",
      /^Warning BackendError: googleapi: Error 400: The ssl_certificate resource 'projects\/my-project\/global\/sslCertificates\/mcrt-.*' is already being used by 'projects\/my-project\/global\/targetHttpsProxies\/k8s2-ts-.*', resourceInUseByAnotherResource$/,
    );
    expect(await lab.handshake(address, "old.domains.milvus.io")).toMatchObject({ trusted: true });

    await namespace.annotateIngress("milvus", { "lab/touch": "1" });
    await namespace.hasEvent("ManagedCertificate", "milvus", /^Normal Delete: Delete SslCertificate mcrt-/);
    const made = () => lab.cloud.sslCertificates.get(before.status?.certificateName ?? "");
    await eventually(async () => expect(made()).toBeDefined());
    await namespace.annotateIngress("milvus", { "lab/touch": "2" });
    await hasStatus(namespace, "Active: new.domains.milvus.io=Active");
    const after = await namespace.managedCertificate("milvus");
    expect(after.status?.certificateName).toBe(before.status?.certificateName);
  });

  test("one that takes a Secret's place before it is issued leaves nothing to present", async () => {
    const host = "too-early.milvus.io";
    const { certificate, privateKey } = await selfSigned(host);
    const namespace = await lab.namespace("too-early");
    await namespace.create("v1", "Secret", "tls", {
      stringData: { "tls.crt": certificate, "tls.key": privateKey },
    });
    await namespace.createIngress("milvus", host, { secret: "tls" });
    const address = await namespace.address("milvus");
    await namespace.createManagedCertificate("milvus", [host]);
    await namespace.annotateIngress("milvus", { [MANAGED]: "milvus" });
    await eventually(async () =>
      expect(await namespace.annotation("milvus", SSL_CERT)).toMatch(/^mcrt-.*,k8s2-cr-/),
    );
    expect(await lab.handshake(address, host)).toMatchObject({ subject: `CN=${host}` });

    await namespace.patch("networking.k8s.io/v1", "Ingress", "milvus", { spec: { tls: null } });
    await eventually(() => expect(lab.handshake(address, host)).rejects.toThrow(NO_CERTIFICATE));
    pointAt(host, address);
    await hasStatus(namespace, `Active: ${host}=Active`);
    expect(await lab.handshake(address, host)).toMatchObject({ trusted: true });
  });

  test("a used-up quota is reported, and tried again", async () => {
    lab.cloud.setFault("ssl-certificate-quota", true);
    const namespace = await lab.namespace("quota");
    await namespace.createManagedCertificate("milvus", ["quota.milvus.io"]);
    await namespace.hasEvent(
      "ManagedCertificate",
      "milvus",
      /^Warning TooManyCertificates: operation .* errors: \(QUOTA_EXCEEDED: Quota 'SSL_CERTIFICATES' exceeded/,
    );
    lab.cloud.setFault("ssl-certificate-quota", false);
    await hasStatus(namespace, "Provisioning: quota.milvus.io=Provisioning");
  });

  test("when everything is deleted nothing is left at Google", async () => {
    const host = "deleted.milvus.io";
    const namespace = await managedIngress("deleted", [host]);
    pointAt(host, await namespace.address("milvus"));
    await hasStatus(namespace, `Active: ${host}=Active`);
    const { status } = await namespace.managedCertificate("milvus");
    await namespace.delete("networking.k8s.io/v1", "Ingress", "milvus");
    await namespace.delete("networking.gke.io/v1", "ManagedCertificate", "milvus");
    await eventually(async () => {
      expect([...lab.cloud.sslCertificates.keys()]).not.toContain(status?.certificateName);
      expect([...lab.cloud.loadBalancers.keys()]).not.toContain("deleted/milvus");
      expect([...lab.cloud.forwardingRules.keys()].join()).not.toContain("-deleted-milvus-");
    });
  });
});

test("certificates are replaced on a live load balancer without a handshake that fails", async () => {
  const host = "live.milvus.io";
  const [first, second] = await Promise.all([selfSigned(host), selfSigned(host)]);
  const namespace = await lab.namespace("live");
  const secretData = (pair: typeof first) => ({
    stringData: { "tls.crt": pair.certificate, "tls.key": pair.privateKey },
  });
  await namespace.create("v1", "Secret", "tls", secretData(first));
  await namespace.createIngress("milvus", host, { secret: "tls" });
  const address = await namespace.address("milvus");
  pointAt(host, address);
  const watch = watchHandshakes(address, host);
  const presents = (attached: RegExp, trusted: boolean) =>
    eventually(async () => {
      expect(await namespace.annotation("milvus", SSL_CERT)).toMatch(attached);
      expect(await lab.handshake(address, host)).toMatchObject({ trusted });
    });
  try {
    await presents(/^k8s2-cr-[^,]+$/, false);
    // Another Secret's content.
    const before = await namespace.annotation("milvus", SSL_CERT);
    await namespace.patch("v1", "Secret", "tls", secretData(second));
    await namespace.annotateIngress("milvus", { "lab/touch": "1" });
    await eventually(async () => expect(await namespace.annotation("milvus", SSL_CERT)).not.toBe(before));
    // A managed certificate beside it, then alone.
    await namespace.createManagedCertificate("milvus", [host]);
    await namespace.annotateIngress("milvus", { [MANAGED]: "milvus" });
    await hasStatus(namespace, `Active: ${host}=Active`);
    await presents(/^mcrt-[^,]+,k8s2-cr-[^,]+$/, true);
    await namespace.patch("networking.k8s.io/v1", "Ingress", "milvus", { spec: { tls: null } });
    await presents(/^mcrt-[^,]+$/, true);
    // A pre-shared one beside it, then alone.
    lab.cloud.setSslCertificate({ name: "z-live", ...first });
    const { status } = await namespace.managedCertificate("milvus");
    await namespace.annotateIngress("milvus", {
      [MANAGED]: null,
      [PRE_SHARED]: `${status?.certificateName},z-live`,
    });
    await presents(/^mcrt-[^,]+,z-live$/, true);
    await namespace.annotateIngress("milvus", { [PRE_SHARED]: "z-live" });
    await presents(/^z-live$/, false);
    // And back to the Secret.
    await namespace.patch("networking.k8s.io/v1", "Ingress", "milvus", {
      metadata: { annotations: { [PRE_SHARED]: null } },
      spec: { tls: [{ secretName: "tls" }] },
    });
    await presents(/^k8s2-cr-[^,]+$/, false);
  } finally {
    const { made, failures } = await watch.stop();
    expect(failures).toEqual([]);
    expect(made).toBeGreaterThan(20);
  }
});

test("a live load balancer outlives a restart of the controllers", async () => {
  const host = "restart.milvus.io";
  const { certificate, privateKey } = await selfSigned(host);
  const namespace = await lab.namespace("restart");
  await namespace.create("v1", "Secret", "tls", {
    stringData: { "tls.crt": certificate, "tls.key": privateKey },
  });
  await namespace.createIngress("milvus", host, { secret: "tls" });
  const address = await namespace.address("milvus");
  const watch = watchHandshakes(address, host);
  try {
    lab.cloud.setFault("no-ingress-controller", true);
    // With the controllers go their CRDs.
    await eventually(() => expect(namespace.managedCertificate("any")).rejects.toThrow(/page not found/));
    await namespace.annotateIngress("milvus", { [SSL_CERT]: null });
    lab.cloud.setFault("no-ingress-controller", false);
    await eventually(async () => expect(await namespace.annotation("milvus", SSL_CERT)).toMatch(/^k8s2-cr-/));
  } finally {
    const { made, failures } = await watch.stop();
    expect(failures).toEqual([]);
    expect(made).toBeGreaterThan(20);
  }
});

/**
 * Makes one TLS connection after the other until it is stopped; every step at
 * Google takes its time meanwhile.
 */
function watchHandshakes(address: string, host: string) {
  lab.controllers.timing.insertDelayMs = VISIBLE_MS;
  const failures = new Set<string>();
  let made = 0;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      try {
        const { subject } = await lab.handshake(address, host);
        if (subject !== `CN=${host}`) failures.add(`presented ${subject}`);
      } catch (error) {
        failures.add(String(error));
      }
      made += 1;
      await setImmediate();
    }
  })();
  return {
    async stop() {
      lab.controllers.timing.insertDelayMs = 0;
      stopped = true;
      await watching;
      return { made, failures: [...failures] };
    },
  };
}
