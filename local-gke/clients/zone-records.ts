import * as v from "valibot";
import type { State } from "../control-plane/state.ts";

/** A set of records as Cloud DNS's API has it. */
export interface ZoneRecord {
  name: string;
  type: string;
  ttl: number;
  rrdatas: string[];
}

const Token = v.object({ access_token: v.string() });

/** Changes records of a Cloud DNS zone, as somebody else who may. */
export async function changeZoneRecords(
  { env }: Pick<State, "env">,
  zone: string,
  change: { additions?: ZoneRecord[]; deletions?: ZoneRecord[] },
): Promise<void> {
  const { origin } = new URL(env.GHA_ENDPOINT_OVERRIDE_compute ?? "");
  const tokenUrl = `${origin}/computeMetadata/v1/instance/service-accounts/default/token`;
  const issued = await fetch(tokenUrl, { headers: { "metadata-flavor": "Google" } });
  const { access_token } = v.parse(Token, await issued.json());
  const url = `${env.GHA_ENDPOINT_OVERRIDE_dns}/projects/my-project/managedZones/${zone}/changes`;
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${access_token}`, "content-type": "application/json" },
    body: JSON.stringify(change),
  });
  if (!response.ok) throw new Error(`records of zone ${zone}: ${await response.text()}`);
}

/**
 * Returns the records of a host that an earlier run of the action has made for
 * release my-release of a namespace.
 */
export function managedRecords(host: string, namespace: string, address: string, ttl: number): ZoneRecord[] {
  const owner = `my-project/us-central1/my-cluster/${namespace}/my-release-milvus`;
  const text = `"heritage=milvus-gke-load-balancer,owner=${owner}"`;
  return [
    { name: `${host}.`, type: "A", ttl, rrdatas: [address] },
    { name: `_milvus-gke-load-balancer.${host}.`, type: "TXT", ttl: 300, rrdatas: [text] },
  ];
}
