import { BlockList, isIP } from "node:net";
import { Readable } from "node:stream";
import type { SecurityPolicy, SecurityRule } from "../cloud.ts";
import { type Request, type Response, response } from "../milvus/exchange.ts";

/** Returns the response to a client that a Cloud Armor policy refuses; undefined if the policy admits it. */
export function refusedBy(policy: SecurityPolicy, request: Request): Response | undefined {
  const rule = policy.rules.find((each) => !each.preview && appliesTo(each, request.client));
  const [, status] = /^deny\((\d+)\)$/.exec(rule?.action ?? "") ?? [];
  if (status === undefined) return undefined;
  request.body.resume();
  const page = `<!doctype html><meta charset="utf-8"><meta name=viewport content="width=device-width, initial-scale=1"><title>${status}</title>${status} Forbidden`;
  return response(Number(status), { "content-type": "text/html; charset=UTF-8" }, Readable.from([page]));
}

function appliesTo({ match }: SecurityRule, client: string): boolean {
  return match.config.srcIpRanges.some((range) => range === "*" || contains(range, client));
}

function contains(range: string, client: string): boolean {
  const [network = "", prefix] = range.split("/");
  const family = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");
  const list = new BlockList();
  list.addSubnet(network, Number(prefix ?? (family(network) === "ipv6" ? 128 : 32)), family(network));
  return list.check(client, family(client));
}
