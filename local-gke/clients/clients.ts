import { control } from "../bench/lab.ts";
import type { State } from "../control-plane/state.ts";
import { type Call, Caller } from "./caller.ts";
import { layer4Ways, layer7Way, WaysByName } from "./ways-in.ts";
import { changeZoneRecords, managedRecords } from "./zone-records.ts";

/** The name of the Cloud DNS zone with the record of the clients' host. */
export const ZONE = "milvus-io";

const INTERVAL_MS = 50;
const DEADLINE_MS = 1000;
/** A client connects again for a tenth of a second before its call has failed. */
const PAUSE_MS = 20;
/** In seconds. 5 minutes are usual. */
const RECORD_TTL = 5;

/**
 * Two clients of a release, one by name and one by address. A client calls Milvus in plaintext and with TLS
 * at the old port and at the new one. Its call fails when Milvus answers nowhere.
 */
export interface Clients {
  /** Tells the client by address where the new load balancer is. */
  learn(address: string): void;
  /** Ends the calls and returns them in order. */
  stop(): Promise<Calls>;
}

export interface Calls {
  byName: Call[];
  byAddress: Call[];
}

/**
 * Starts clients of release my-release in a namespace. DNS leads its host to its layer-4 load balancer.
 *
 * @param options `address`: of that; `token`: for Milvus, `user:password`
 */
export async function startClients(
  gke: State,
  options: { host: string; namespace: string; address: string; token: string },
): Promise<Clients> {
  const { host, namespace, address, token } = options;
  await control({ gke }, "PUT", `dns-zones/${ZONE}`, { dnsName: "milvus.io" });
  await changeZoneRecords(gke, ZONE, { additions: managedRecords(host, namespace, address, RECORD_TTL) });
  const ways = layer4Ways(address);
  const name = new WaysByName(host, gke.env.GHA_ENDPOINT_OVERRIDE_resolver ?? "");
  const client = { host, token, deadlineMs: DEADLINE_MS, pauseMs: PAUSE_MS };
  const byName = callAtIntervals(new Caller({ ...client, ways: () => name.ways() }));
  const byAddress = callAtIntervals(new Caller({ ...client, ways: async () => ways }));
  return {
    learn: (learnt) => ways.push(layer7Way(learnt)),
    async stop() {
      const calls = { byName: await byName.stop(), byAddress: await byAddress.stop() };
      await control({ gke }, "DELETE", `dns-zones/${ZONE}`);
      return calls;
    },
  };
}

/** Calls at a fixed interval, without waiting for earlier calls. */
function callAtIntervals(caller: Caller): { stop(): Promise<Call[]> } {
  const calls: Promise<Call>[] = [];
  const timer = setInterval(() => calls.push(caller.call()), INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      const made = await Promise.all(calls);
      caller.close();
      return made;
    },
  };
}
