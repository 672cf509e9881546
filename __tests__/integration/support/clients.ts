import { setTimeout as delay } from "node:timers/promises";
import { type Call, Caller } from "../../../local-gke/clients/caller.ts";
import { layer4Ways, layer7Way, type WayIn, WaysByName } from "../../../local-gke/clients/ways-in.ts";
import { changeZoneRecords, managedRecords } from "../../../local-gke/clients/zone-records.ts";
import { hostOf, inputsFor, type TestCluster } from "./cluster.ts";

export const ZONE = "milvus-io";
/** Far more than a call takes on a busy machine. */
const DEADLINE_MS = 20_000;
/** Between two attempts of a call. With the rest, an outage of 0.4 s fails a call wherever it begins. */
const PAUSE_MS = 50;
/** Between two calls, so that clients leave the processor to what they watch. */
const REST_MS = 200;

/** What a client has seen. */
interface Seen {
  calls: number;
  /** After how many calls those came that failed at every attempt. */
  failed: number[];
  /** The ways in which Milvus answered the last call. */
  last: Call["answeredBy"];
}

/** Two clients that call Milvus one call after the other, whatever happens: one by name, one by address. */
export interface Clients {
  byAddress: Seen;
  byName: Seen;
  /** The client by address uses a load balancer at this address too, of layer 4 or 7. */
  learn(address: string): void;
  /** The client by name asks DNS before its next call, as if its record had just expired. */
  askDnsAgain(): void;
  /** Waits until each client has made this many calls from now on. */
  calls(number: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts two clients of release my-release in a namespace. DNS, in which earlier runs of the action have kept
 * the record, leads its host to its layer-4 load balancer.
 *
 * @param ttl the record's, in seconds
 */
export async function startClients(cluster: TestCluster, namespace: string, ttl: number): Promise<Clients> {
  const host = hostOf(namespace);
  const { gke } = cluster;
  const service = ["service/my-release-milvus", "-n", namespace];
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  await cluster.kubectl("wait", ...service, `--for=${path}`, "--timeout=300s");
  const address = await cluster.kubectl("get", ...service, "-o", path);
  await changeZoneRecords(gke, ZONE, { additions: managedRecords(host, namespace, address, ttl) });

  const ways = layer4Ways(address);
  const token = inputsFor(namespace).milvus_token;
  const stopped = new AbortController();
  const start = (waysOfClient: () => Promise<WayIn[]>) => {
    const caller = new Caller({
      host,
      token,
      ways: waysOfClient,
      deadlineMs: DEADLINE_MS,
      pauseMs: PAUSE_MS,
    });
    const seen: Seen = { calls: 0, failed: [], last: [] };
    return { seen, ended: callUntil(stopped.signal, caller, seen) };
  };
  const byAddress = start(async () => ways);
  const name = new WaysByName(host, gke.env.GHA_ENDPOINT_OVERRIDE_resolver ?? "");
  const byName = start(() => name.ways());
  const all = [byAddress, byName];
  return {
    byAddress: byAddress.seen,
    byName: byName.seen,
    askDnsAgain: () => name.forget(),
    learn: (learnt) => ways.push(...layer4Ways(learnt), layer7Way(learnt)),
    async calls(number) {
      // One call may have begun before.
      const until = all.map(({ seen }) => seen.calls + number + 1);
      while (all.some(({ seen }, index) => seen.calls < (until[index] ?? 0))) await delay(REST_MS);
    },
    async stop() {
      stopped.abort();
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

async function callUntil(stopped: AbortSignal, caller: Caller, seen: Seen): Promise<void> {
  while (!stopped.aborted) {
    seen.last = (await caller.call()).answeredBy;
    if (seen.last.length === 0) seen.failed.push(seen.calls);
    seen.calls += 1;
    await delay(REST_MS);
  }
  caller.close();
}
