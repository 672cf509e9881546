import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { changeZoneRecords } from "../../local-gke/clients/zone-records.ts";
import { hostOf, useCluster } from "./support/cluster.ts";
import type { Inputs, StepResult } from "./support/job.ts";
import { planOf } from "./support/results.ts";

const ZONE = "milvus-io";
const OWNERSHIP = "_milvus-gke-load-balancer";
const owned = (namespace: string) =>
  `"heritage=milvus-gke-load-balancer,owner=my-project/us-central1/my-cluster/${namespace}/my-release-milvus"`;

const cluster = useCluster((namespace) => ({ host: hostOf(namespace), wait_for: "address" }));
beforeAll(() => cluster.control("PUT", `dns-zones/${ZONE}`, { dnsName: "milvus.io" }));

/** Runs the action, which must change neither the namespace nor anything at Google. */
async function refusal(namespace: string, given: Inputs): Promise<string> {
  const before = await cluster.cloudOf(namespace);
  const { error } = await cluster.refusal(namespace, given);
  expect(await cluster.cloudOf(namespace)).toEqual(before);
  return error;
}

async function reserve(name: string, settings: object = {}): Promise<string> {
  const answer = Object(await cluster.control("PUT", `static-addresses/${name}`, settings));
  return String(answer.address);
}

/** The A record of a host and the text of the TXT record beside it, as the world sees them. */
async function recordOf(namespace: string) {
  const host = hostOf(namespace);
  const [a] = (await cluster.recordsAt(host)).filter(({ type }) => type === "A");
  const [ownership] = await cluster.recordsAt(`${OWNERSHIP}.${host}`);
  return { address: a?.values.join(), ttl: a?.ttl, owner: ownership?.values.join() };
}

// The rest of what can't be used: __tests__/gke/{static-address,host-record,compute,cloud-dns}.test.ts.
describe("an address or record that can't be used is refused before anything is changed", () => {
  const namespace = "refused";
  const host = `${hostOf(namespace)}.`;
  beforeAll(async () => {
    await cluster.installSmall(namespace);
    await cluster.available(namespace);
    await reserve("refused-regional", { region: "us-central1" });
    const address = await reserve("refused-used");
    await cluster.control("PUT", "forwarding-rules/somebody-elses", { address });
    const made = { name: `made.${host}`, type: "A", ttl: 300, rrdatas: ["192.0.2.1"] };
    await changeZoneRecords(cluster.gke, ZONE, { additions: [made] });
  });

  test.concurrent.each<{ what: string; given: Inputs; says: string[] }>([
    {
      what: "a static address that isn't there",
      given: { static_ip_name: "no-such-address" },
      says: [
        "There is no static address no-such-address in the project my-project",
        "create_static_ip: true",
      ],
    },
    {
      what: "a regional one for an external load balancer",
      given: { static_ip_name: "refused-regional" },
      says: ["refused-regional is in the region us-central1", "needs a global external IPv4 address"],
    },
    {
      what: "one that another load balancer uses, though it may be reserved",
      given: { static_ip_name: "refused-used", create_static_ip: "true" },
      says: ["refused-used (", "is used by something else", "forwardingRules/somebody-elses"],
    },
    {
      what: "a zone that isn't there, before an address is reserved",
      given: { dns_zone: "no-such-zone", static_ip_name: "refused-new", create_static_ip: "true" },
      says: ["There is no Cloud DNS zone no-such-zone in the project my-project", "set dns_zone"],
    },
    {
      what: "a zone in a project that isn't there",
      given: { dns_zone: ZONE, dns_project_id: "your-project" },
      says: [`may not read the Cloud DNS zone ${ZONE}`, "roles/dns.admin in the project your-project"],
    },
    {
      what: "a record that somebody has made",
      given: { dns_zone: ZONE, host: `made.${hostOf(namespace)}` },
      says: [
        "points to 192.0.2.1, and that record was not made by this action",
        `create the record ${OWNERSHIP}.made.${host} 300 IN TXT ${owned(namespace)}`,
      ],
    },
  ])("$what", async ({ given, says }) => {
    const error = await refusal(namespace, given);
    for (const text of says) expect(error).toContain(text);
  });

  test("the region of an internal one isn't known with a kubeconfig alone", async () => {
    const error = await refusal(namespace, {
      static_ip_name: "refused-regional",
      load_balancer: "internal",
      ...(await throughKubeconfig()),
    });
    expect(error).toContain("The region of the internal load balancer is not known; nothing was changed.");
    expect(error).toContain("set location");
  });

  // What follows is Google's answer to everybody.
  test("a used-up quota of addresses", async () => {
    const given = { static_ip_name: "refused-new", create_static_ip: "true" };
    const error = await cluster.withFault("static-address-quota", () => refusal(namespace, given));
    expect(error).toContain("Could not reserve the static address refused-new");
    expect(error).toContain("has used up a quota");
  });

  test("refuse-dns-changes is said with the role, before the release is touched", async () => {
    const given = { dns_zone: ZONE, static_ip_name: "refused-dns", create_static_ip: "true" };
    const before = await cluster.snapshot(namespace);
    const { errors, outputs } = await cluster.withFault("refuse-dns-changes", () =>
      cluster.run(namespace, given),
    );
    expect(errors).toEqual([
      expect.stringMatching(/may not change the records of refused\.milvus\.io[\s\S]*roles\/dns\.admin/),
    ]);
    expect(await cluster.snapshot(namespace)).toEqual(before);
    // The address that was reserved stays for the next run.
    expect(outputs.changed).toBe("true");
  });
});

describe.concurrent("an address and a record of one's own", () => {
  test("are planned, made, kept, and moved", async () => {
    const namespace = "moved";
    const host = hostOf(namespace);
    await cluster.installSmall(namespace);
    const given = { static_ip_name: namespace, create_static_ip: "true", dns_zone: ZONE };

    const before = await cluster.cloudOf(namespace);
    const planned = await cluster.plan(namespace, given);
    expect(planOf(planned).objects).toEqual(
      expect.arrayContaining([
        { kind: "static address", name: namespace, action: "create" },
        { kind: "DNS record", name: host, action: "create" },
      ]),
    );
    expect(planned.summary).toContain("DNS record");
    expect(await cluster.cloudOf(namespace)).toEqual(before);

    const first = await cluster.deploy(namespace, { ...given, wait_for: "ready" });
    const { address = "" } = first.outputs;
    expect(await cluster.cloudOf(namespace)).toMatchObject({
      staticAddresses: [
        { name: namespace, address, description: expect.stringContaining("moved/my-release-milvus") },
      ],
      loadBalancers: [{ address }],
    });
    expect(await recordOf(namespace)).toEqual({ address, ttl: 300, owner: owned(namespace) });
    // Known, and in DNS, before the first thing is changed in the cluster.
    const line = (pattern: RegExp) => first.lines.findIndex((each) => pattern.test(each));
    expect(line(/static address moved is reserved/)).toBeGreaterThan(0);
    expect(line(/now says that moved\.milvus\.io is at/)).toBeLessThan(
      line(/^::group::Upgrade the Helm release/),
    );
    expect(first.lines).toContain(`DNS leads ${host} to the load balancer.`);

    const second = await cluster.expectUnchanged(namespace, { ...given, wait_for: "ready" });
    expect(second.outputs).toMatchObject({ address, release_revision: "2" });

    await changeZoneRecords(cluster.gke, ZONE, {
      deletions: [{ name: `${host}.`, type: "A", ttl: 300, rrdatas: [address] }],
      additions: [{ name: `${host}.`, type: "A", ttl: 60, rrdatas: ["192.0.2.1"] }],
    });
    // A run that proves nothing leaves the name where clients use it.
    const unproven = await cluster.deploy(namespace, given);
    expect(unproven.lines).toContain(
      `The DNS record of ${host} stays at 192.0.2.1 until a run has proven the load balancer.`,
    );
    expect(await recordOf(namespace)).toMatchObject({ address: "192.0.2.1" });
    const mended = await cluster.deploy(namespace, { ...given, wait_for: "ready" });
    expect(mended.lines).toContain(
      `The DNS record of ${host} moves from 192.0.2.1 to ${address} once Milvus answers there.`,
    );
    const at = (pattern: RegExp) => mended.lines.findIndex((each) => pattern.test(each));
    expect(at(/now says that moved\.milvus\.io is at/)).toBeGreaterThan(
      at(/^::group::Call Milvus through the load balancer/),
    );
    expect(mended.outputs).toMatchObject({ changed: "true", release_revision: "2" });
    expect(planOf(mended).objects).toContainEqual({
      kind: "DNS record",
      name: host,
      action: "change",
    });
    expect(mended.lines.join("\n")).toContain(
      "instead of 192.0.2.1, which resolvers may still answer for 60s",
    );
    const movedFrom = (former: string | undefined) =>
      expect.stringMatching(`^${owned(namespace).slice(0, -1)},former=${former},until=[^,]+"$`);
    expect(await recordOf(namespace)).toEqual({ address, ttl: 60, owner: movedFrom("192.0.2.1") });

    const moved = await cluster.deploy(namespace, {
      ...given,
      static_ip_name: "moved-too",
      wait_for: "ready",
    });
    const to = moved.outputs.address;
    expect(to).not.toBe(address);
    expect(await cluster.cloudOf(namespace)).toMatchObject({
      loadBalancers: [{ address: to }],
      staticAddresses: [{ address }, { name: "moved-too", address: to }],
    });
    expect(await recordOf(namespace)).toEqual({ address: to, ttl: 60, owner: movedFrom(address) });

    const renamed = "renamed.milvus.io";
    const another = { ...given, static_ip_name: "moved-too", host: renamed, wait_for: "ready" };
    expect(planOf(await cluster.deploy(namespace, another)).objects).toContainEqual({
      kind: "DNS record",
      name: host,
      action: "delete",
    });
    expect(await cluster.recordsAt(host)).toEqual([]);
    expect(await cluster.recordsAt(renamed)).toMatchObject([{ type: "A", values: [to] }]);
    await cluster.expectUnchanged(namespace, another);
  });

  test("an upgrade that fails leaves the name at the old address", async () => {
    const namespace = "name-stays";
    const host = hostOf(namespace);
    await cluster.installLayer7(namespace);
    await cluster.deploy(namespace, { dns_zone: ZONE });
    const { address = "" } = await recordOf(namespace);
    await changeZoneRecords(cluster.gke, ZONE, {
      deletions: [{ name: `${host}.`, type: "A", ttl: 300, rrdatas: [address] }],
      additions: [{ name: `${host}.`, type: "A", ttl: 300, rrdatas: ["192.0.2.7"] }],
    });
    await cluster.failure(namespace, {
      dns_zone: ZONE,
      wait_for: "ready",
      helm_timeout: "3s",
      values: "annotations:\n  local-gke/ready-after: 1h\n",
    });
    expect(await recordOf(namespace)).toMatchObject({ address: "192.0.2.7" });
  });

  test("a record alone follows whatever address the load balancer gets", async () => {
    const namespace = "followed";
    await cluster.installLayer7(namespace);
    const { outputs } = await cluster.deploy(namespace, { dns_zone: ZONE });
    expect(await recordOf(namespace)).toMatchObject({ address: outputs.address, owner: owned(namespace) });
    await cluster.expectUnchanged(namespace, { dns_zone: ZONE });

    // The HTTP rule has an address of its own at first, to which the HTTPS one then moves.
    const ready = { dns_zone: ZONE, wait_for: "ready" };
    const http = await cluster.deploy(namespace, { ...ready, allow_http: "true" });
    expect(http.outputs.address).not.toBe(outputs.address);
    expect(http.lines).toContainEqual(
      expect.stringContaining(`The load balancer at ${outputs.address} moves to another address`),
    );
    expect(await recordOf(namespace)).toMatchObject({ address: http.outputs.address });
    const https = await cluster.deploy(namespace, ready);
    expect(https.outputs.address).toBe(http.outputs.address);
  });

  test("a kubeconfig and Application Default Credentials do", async () => {
    const namespace = "by-kubeconfig";
    await cluster.installLayer7(namespace);
    const { outputs } = await cluster.deploy(namespace, {
      static_ip_name: namespace,
      create_static_ip: "true",
      dns_zone: ZONE,
      ...(await throughKubeconfig()),
    });
    const { address } = outputs;
    expect(await cluster.cloudOf(namespace)).toMatchObject({
      staticAddresses: [{ name: namespace, address }],
    });
    expect(await recordOf(namespace)).toMatchObject({
      address,
      owner: '"heritage=milvus-gke-load-balancer,owner=my-project/by-kubeconfig/my-release-milvus"',
    });
  });

  test("DNS by hand: the record to create is said, one that leads elsewhere is warned of, the right one acknowledged", async ({
    onTestFinished,
  }) => {
    const namespace = "by-hand";
    const host = hostOf(namespace);
    await cluster.installLayer7(namespace);
    const address = await reserve(namespace);
    const given = { static_ip_name: namespace };
    const warnings = ({ lines }: StepResult) =>
      lines.filter((line) => line.startsWith("::warning title=Milvus on GKE::") && line.includes(host));

    const without = await cluster.deploy(namespace, given);
    expect(without.outputs.address).toBe(address);
    expect(without.lines).toContain(
      `DNS has no address for ${host}, the load balancer is at ${address}: create the record ${host}. 300 IN A ${address}`,
    );
    expect(warnings(without)).toEqual([]);

    // What other records give: __tests__/loadbalancer/dns.test.ts.
    await cluster.control("PUT", `dns-records/${host}`, { type: "CNAME", values: ["old.example.com."] });
    await cluster.control("PUT", "dns-records/old.example.com", { type: "A", values: ["192.0.2.2"] });
    const elsewhere = await cluster.deploy(namespace, given);
    expect(warnings(elsewhere)).toEqual([
      expect.stringContaining(
        `${host} points to 192.0.2.2, as an alias (CNAME) of old.example.com; the load balancer is at ${address}`,
      ),
    ]);
    expect(elsewhere.outputs.changed).toBe("false");
    await cluster.control("DELETE", `dns-records/${host}`);

    await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address] });
    const right = await cluster.deploy(namespace, given);
    expect(right.lines).toContain(`DNS leads ${host} to the load balancer.`);
    expect(warnings(right)).toEqual([]);

    // A resolver that doesn't answer holds nothing up.
    const silent = createSocket("udp4").bind(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await once(silent, "listening");
    const resolver = `127.0.0.1:${silent.address().port}`;
    const unheard = await cluster.deploy(namespace, given, {
      environment: { GHA_ENDPOINT_OVERRIDE_resolver: resolver },
    });
    expect(unheard.lines.join("\n")).toContain(`What DNS says of ${host} is not known`);
    expect(warnings(unheard)).toEqual([]);

    // With dns_zone the right record that somebody has made by hand is left.
    await cluster.control("DELETE", `dns-records/${host}`);
    const record = { name: `${host}.`, type: "A", ttl: 60, rrdatas: [address] };
    await changeZoneRecords(cluster.gke, ZONE, { additions: [record] });
    await cluster.expectUnchanged(namespace, { ...given, dns_zone: ZONE });
    expect(await recordOf(namespace)).toEqual({ address, ttl: 60, owner: undefined });
  });
});

/** Inputs that lead to the cluster without Google's API. */
async function throughKubeconfig(): Promise<Inputs> {
  return { kubeconfig: await readFile(cluster.gke.kubeconfig, "utf8"), location: "", cluster_name: "" };
}
