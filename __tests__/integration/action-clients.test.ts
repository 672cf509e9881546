import { beforeAll, describe, expect, test, vi } from "vitest";
import { changeZoneRecords } from "../../local-gke/clients/zone-records.ts";
import { killProcessesOf } from "../../local-gke/control-plane/processes.ts";
import { certificateWith, DAY } from "../support/certificates.ts";
import { applySecret, secretWith } from "./support/certificates.ts";
import { type Clients, startClients, ZONE } from "./support/clients.ts";
import { hostOf, useCluster } from "./support/cluster.ts";
import type { Step } from "./support/job.ts";
import { PROXY } from "./support/names.ts";
import { readyAfter } from "./support/pods.ts";
import { expectSuccess, planOf } from "./support/results.ts";

const CALLS = 3;
const OFF = { enabled: false };
/** Values of a release that has only what clients see. Its other parts would only be replaced too. */
const PROXIES = {
  cluster: { enabled: true },
  mixCoordinator: OFF,
  dataNode: OFF,
  queryNode: OFF,
  streamingNode: OFF,
};
/** In seconds, far longer than the removal of a load balancer takes. */
const RECORD_TTL = 10;
/** Inputs for the way back to layer 4. */
const BACK = { mode: "teardown", restore_layer4: "true" };
const LIMIT = { timeout: 100_000, interval: 100 };

// Whether layer 4 stays is up to the default.
const cluster = useCluster((namespace) => ({
  host: hostOf(namespace),
  dns_zone: ZONE,
  keep_layer4: undefined,
}));
beforeAll(() => cluster.control("PUT", `dns-zones/${ZONE}`, { dnsName: "milvus.io" }));

/** Installs a release whose proxies are replaced one after the other, and starts its two clients. */
async function served(namespace: string, ttl = 1): Promise<Clients> {
  await cluster.installSmall(namespace, PROXIES);
  await cluster.available(namespace, PROXY);
  const clients = await startClients(cluster, namespace, ttl);
  await clients.calls(CALLS);
  expect(clients).toMatchObject({ byAddress: { last: ["old port"] }, byName: { last: ["old port"] } });
  return clients;
}

/** Waits until the run says where a load balancer is, and lets the client by address know. */
async function addressIn(step: Step, clients: Clients, loadBalancer = "load balancer"): Promise<string> {
  const line = await step.line(new RegExp(`^The ${loadBalancer}'s address is `));
  const address = / is (.*)\.$/.exec(line)?.[1] ?? "";
  clients.learn(address);
  return address;
}

/** Leaves out the minute beyond the TTL for which a run also waits, by a change of what it has noted. */
async function forgetSooner(namespace: string, ttl: number): Promise<void> {
  const name = `_milvus-gke-load-balancer.${hostOf(namespace)}`;
  const [record] = await cluster.recordsAt(name);
  if (!record) throw new Error(`there is no record ${name}`);
  const set = { name: `${name}.`, type: "TXT", ttl: record.ttl };
  const until = new Date(Date.now() + 1000 * ttl).toISOString();
  await changeZoneRecords(cluster.gke, ZONE, {
    deletions: [{ ...set, rrdatas: record.values }],
    additions: [
      { ...set, rrdatas: record.values.map((text) => text.replace(/until=[^,"]+/, `until=${until}`)) },
    ],
  });
}

/** Expects that no call has failed since the clients began, and in which way the last ones were answered. */
async function expectUnbroken(
  clients: Clients,
  last: "old port" | "old port, TLS" | "new port",
): Promise<void> {
  await clients.calls(CALLS);
  const seen = { failed: [], last: [last] };
  expect(clients).toMatchObject({ byAddress: seen, byName: seen });
}

describe.concurrent("no call of a client by name and of one by address fails", () => {
  test("a first deployment with defaults, and a teardown that restores layer 4", async () => {
    const namespace = "clients-deploy";
    const clients = await served(namespace, RECORD_TTL);
    const deploying = await cluster.start(namespace);
    const layer7 = await addressIn(deploying, clients);
    await deploying.line(/^::group::Call Milvus/);
    clients.askDnsAgain();
    const deployed = expectSuccess(await deploying.ended);
    await expectUnbroken(clients, "new port");
    expect(deployed.lines).toContain(`The layer-4 load balancer stays for the record's TTL, ${RECORD_TTL}s.`);

    const step = await cluster.start(namespace, BACK);
    const layer4 = await addressIn(step, clients, "layer-4 load balancer");
    clients.askDnsAgain();
    const result = expectSuccess(await step.ended);
    await expectUnbroken(clients, "old port");
    await clients.stop();
    expect(result.lines).toContain(
      `The layer-7 load balancer at ${layer7} stays for the record's TTL, ${RECORD_TTL}s.`,
    );
    expect(planOf(result)).toMatchObject({
      objects: expect.arrayContaining([
        { kind: "DNS record", name: hostOf(namespace), action: "change" },
        { kind: "Ingress", name: "my-release-milvus", action: "delete" },
      ]),
      consequences: [
        expect.stringContaining(
          `The layer-4 load balancer is back before the layer-7 one at ${layer7} goes.`,
        ),
        expect.stringContaining("Milvus itself speaks plaintext again from the last Helm upgrade on"),
      ],
    });
    expect(await cluster.recordsAt(hostOf(namespace))).toMatchObject([{ values: [layer4] }]);

    await cluster.expectUnchanged(namespace, BACK);
    expect(await cluster.recordsAt(hostOf(namespace))).toMatchObject([{ values: [layer4] }]);
  });

  test("DNS by hand: the layer-4 load balancer stays while DNS leads there", async () => {
    const namespace = "clients-dns-by-hand";
    const host = hostOf(namespace);
    const clients = await served(namespace);
    const given = { dns_zone: undefined };
    const step = await cluster.start(namespace, given);
    const address = await addressIn(step, clients);
    const first = expectSuccess(await step.ended);
    expect(first.outputs).toMatchObject({ release_revision: "2", address });
    expect(first.lines).toContainEqual(
      expect.stringMatching(
        `^::warning title=Milvus on GKE::The layer-4 load balancer stays: DNS leads ${host} to its address `,
      ),
    );
    await clients.calls(CALLS);

    await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [address], ttl: 1 });
    await vi.waitFor(() => expect(clients.byName.last).toEqual(["new port"]), LIMIT);
    const second = await cluster.deploy(namespace, given);
    expect(second.outputs).toMatchObject({ release_revision: "3", changed: "true" });
    await expectUnbroken(clients, "new port");

    const third = await cluster.failure(namespace, { ...given, ...BACK });
    expect(third.error).toContain(
      `The layer-7 load balancer at ${address} stays: DNS leads clients of ${host} there.`,
    );
    const line = third.lines.find((each) => each.startsWith("The layer-4 load balancer's address is ")) ?? "";
    const former = / is (.*)\.$/.exec(line)?.[1] ?? "";
    clients.learn(former);
    await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [former], ttl: 1 });
    await vi.waitFor(() => expect(clients.byName.last).toEqual(["old port, TLS"]), LIMIT);
    const fourth = await cluster.deploy(namespace, { ...given, ...BACK });
    expect(fourth.outputs).toMatchObject({ release_revision: "5", changed: "true" });
    await expectUnbroken(clients, "old port");
    await clients.stop();
  });

  test("runs that fail, one after the other", async () => {
    const namespace = "clients-failures";
    const clients = await served(namespace);

    // The certificate is not for the host.
    const pair = await certificateWith({
      subject: "CN=other",
      names: ["other.milvus.io"],
      from: Date.now() - DAY,
      days: 200,
    });
    await applySecret(cluster, secretWith(namespace, "wrong", pair), "somebody");
    await cluster.refusal(namespace, { certificate: "secret", tls_secret: "wrong" });
    await expectUnbroken(clients, "old port");

    // The Helm upgrade fails. The timeout leaves Helm the time to begin with the new pods.
    const upgrade = await cluster.failure(namespace, { values: readyAfter("1h"), helm_timeout: "12s" });
    expect(upgrade.error).toContain("Release my-release was rolled back to revision 1.");
    await expectUnbroken(clients, "old port");

    // The load balancer can't be made, and then something else answers there. Milvus has been upgraded.
    for (const fault of ["organization-policy", "identity-aware-proxy"] as const) {
      await cluster.setFaultIn(namespace, fault, true);
      const { error } = await cluster.failure(namespace);
      expect(error).toMatch(/The layer-4 load balancer.* still stands/);
      await expectUnbroken(clients, "old port, TLS");
      await cluster.setFaultIn(namespace, fault, false);
    }
    await clients.stop();
  });

  test("runs that are killed in the upgrade, in both waits and while layer 4 goes, and the next one", async () => {
    const namespace = "clients-killed";
    // The last two runs take less.
    const ttl = 20;
    const clients = await served(namespace, ttl);
    const given = { recover_pending: "1s" };
    const killedAt = async (line: RegExp, before?: (step: Step) => Promise<void>) => {
      const job = await cluster.job();
      const step = job.start(cluster.inputs(namespace, given));
      await before?.(step);
      await step.line(line);
      await killProcessesOf(job.directory);
      const { lines } = await step.ended;
      await clients.calls(CALLS);
      return lines;
    };
    // There is no address yet.
    await cluster.setFaultIn(namespace, "organization-policy", true);
    await killedAt(/^::group::Upgrade the Helm release/);
    await killedAt(/^::group::Wait for the address/);
    await cluster.setFaultIn(namespace, "organization-policy", false);
    await killedAt(/^::group::Wait until resolvers know the new address/, async (step) => {
      await addressIn(step, clients);
      await step.line(/^::group::Call Milvus/);
      clients.askDnsAgain();
    });
    await forgetSooner(namespace, ttl);
    // The client by name still goes to layer 4, so this run has to wait.
    const lines = await killedAt(/^::group::Remove the layer-4 load balancer/);
    expect(lines).toContainEqual(
      expect.stringMatching(/^The layer-4 load balancer stays for the rest of the record's TTL, /),
    );

    await cluster.deploy(namespace, given);
    await expectUnbroken(clients, "new port");
    await clients.stop();
  });

  test("a record with a long TTL: the layer-4 load balancer stays for a later run", async () => {
    const namespace = "clients-long-ttl";
    const clients = await served(namespace, 3600);
    const { lines, outputs } = await cluster.deploy(namespace);
    expect(lines).toContain(
      "The layer-4 load balancer stays: resolvers may still give its address for the record's TTL, 1h. A run after that removes it.",
    );
    expect(outputs).toMatchObject({ release_revision: "2" });
    await clients.calls(CALLS);
    await clients.stop();
    expect(clients).toMatchObject({
      byAddress: { failed: [], last: ["old port, TLS"] },
      byName: { failed: [] },
    });

    const { error } = await cluster.failure(namespace, BACK);
    expect(error).toMatch(
      /^The layer-7 load balancer at .* stays: resolvers may still give its address for the record's TTL, 1h\./,
    );
    expect(await cluster.recordsAt(hostOf(namespace))).not.toMatchObject([{ values: [outputs.address] }]);
    expect(await cluster.cloudOf(namespace)).toMatchObject({ loadBalancers: [expect.anything()] });
  });
});
