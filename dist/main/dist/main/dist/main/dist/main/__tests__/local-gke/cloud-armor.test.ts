import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import type { SecurityPolicy, SecurityRule } from "../../local-gke/cloud.ts";
import { refusedBy } from "../../local-gke/load-balancer/cloud-armor.ts";
import type { Request } from "../../local-gke/milvus/exchange.ts";

const rule = (priority: number, action: SecurityRule["action"], ...srcIpRanges: string[]): SecurityRule => ({
  priority,
  action,
  preview: false,
  match: { versionedExpr: "SRC_IPS_V1", config: { srcIpRanges } },
});
const POLICY: SecurityPolicy = {
  name: "p",
  description: "",
  rules: [
    rule(1, "deny(404)", "192.0.2.7/32"),
    { ...rule(2, "deny(502)", "192.0.2.0/24"), preview: true },
    rule(1000, "allow", "192.0.2.0/24", "2001:db8::/32", "198.51.100.9"),
    rule(2_147_483_647, "deny(403)", "*"),
  ],
};
const from = (client: string): Request => ({
  method: "POST",
  path: "/",
  authority: "a",
  client,
  headers: {},
  body: Readable.from([]),
  signal: new AbortController().signal,
});

test.each([
  ["192.0.2.8", undefined],
  ["192.0.2.7", 404],
  ["198.51.100.9", undefined],
  ["198.51.100.10", 403],
  ["2001:db8::1", undefined],
  ["2001:db9::1", 403],
  ["127.0.0.1", 403],
])("a client at %s gets %s", (client, status) => {
  expect(refusedBy(POLICY, from(client))?.status).toBe(status);
});

test("the answer is Google's page", async () => {
  const answer = refusedBy(POLICY, from("127.0.0.1"));
  expect(answer?.headers).toEqual({ "content-type": "text/html; charset=UTF-8" });
  expect(answer?.body && (await text(answer.body))).toContain("<title>403</title>403 Forbidden");
});
