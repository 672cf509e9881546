import { get } from "node:https";
import { expect, test } from "vitest";
import { rulesFor } from "../../src/gke/allowed-ranges.ts";
import { hostOf, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";
import { planOf } from "./support/results.ts";

/** What tests read of a Cloud Armor policy at Google. */
interface Policy {
  name: string;
  description: string;
  rules: object[];
}

/** The address by which this machine reaches a loopback address. */
const RUNNER = "127.0.0.1/32";
const OTHERS = Array.from({ length: 11 }, (_, index) => `203.0.${100 + index}.0/24`);
const RANGES = [...OTHERS, RUNNER].sort();

const cluster = useCluster((namespace) => ({ host: hostOf(namespace) }));

/** What a run changes at Google, from its plan. */
function changesAtGoogle(result: StepResult): string[] {
  return planOf(result).objects.flatMap(({ kind, action }) =>
    kind === "Cloud Armor policy" ? [action] : [],
  );
}

async function policies(): Promise<Policy[]> {
  const state: { securityPolicies: Policy[] } = JSON.parse(
    JSON.stringify(await cluster.control("GET", "state")),
  );
  return state.securityPolicies;
}

/** The HTTP status that a client at a loopback address gets from the load balancer. */
function statusFor(client: string, { outputs: { address = "", host = "" } }: StepResult): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const options = { host: address, servername: host, headers: { host }, localAddress: client };
  get({ ...options, rejectUnauthorized: false, agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  }).on("error", reject);
  return promise;
}

test("a Milvus without authentication opens to allowed_ranges only; the policy is kept, and goes with its input", async () => {
  const namespace = "ranges";
  await cluster.installLayer7(namespace, { extraConfigFiles: { "user.yaml": "" } });
  const open = await cluster.refusal(namespace);
  for (const text of [
    "has no authentication, and this run would make it",
    "allowed_ranges",
    "allow_anonymous: true",
  ]) {
    expect(open.error).toContain(text);
  }

  // The runner itself is not among the clients: nothing proves that Milvus answers.
  const shut = await cluster.failure(namespace, {
    allowed_ranges: OTHERS.join("\n"),
    backends_timeout: "5s",
  });
  expect(shut.error).toContain("refuses calls for");
  expect(shut.error).toContain("What to do: allowed_ranges doesn't have the address by which this runner");

  const inputs = { allowed_ranges: RANGES.join("\n") };
  const first = await cluster.deploy(namespace, inputs);
  expect(first.outputs.authentication).toBe("none");
  expect(changesAtGoogle(first)).toEqual(["change"]);
  expect(await statusFor("127.0.0.1", first)).not.toBe(403);
  expect(await statusFor("127.0.0.2", first)).toBe(403);
  const [policy, ...more] = await policies();
  expect(more).toEqual([]);
  expect(policy?.name).toMatch(/^milvus-ranges-my-release-milvus-[0-9a-f]{8}$/);
  expect(policy?.rules).toHaveLength(rulesFor(RANGES).length);

  const second = await cluster.expectUnchanged(namespace, inputs);
  expect(changesAtGoogle(second)).toEqual([]);

  // Somebody opens it by hand.
  await compute("POST", `${policy?.name}/patchRule?priority=2147483647`, {
    ...rulesFor([]).at(-1),
    action: "allow",
  });
  expect(await statusFor("127.0.0.2", first)).not.toBe(403);
  const planned = await cluster.refusal(namespace, { ...inputs, mode: "plan", fail_on_changes: "true" });
  expect(planned.error).toContain("A deployment would change something: 1 object to change");
  const mended = await cluster.deploy(namespace, inputs);
  expect(mended.outputs.changed).toBe("true");
  expect(changesAtGoogle(mended)).toEqual(["change"]);
  expect(await statusFor("127.0.0.2", first)).toBe(403);

  const refused = await cluster.refusal(namespace);
  expect(refused.error).toContain("this run would make it reachable");
  expect(await statusFor("127.0.0.2", first)).toBe(403);
  const consent = { allow_anonymous: "true" };
  const opened = await cluster.deploy(namespace, consent);
  expect(changesAtGoogle(opened)).toEqual(["delete"]);
  expect(await policies()).toEqual([]);
  expect(await statusFor("127.0.0.2", first)).not.toBe(403);

  const again = await cluster.deploy(namespace, inputs);
  expect(changesAtGoogle(again)).toEqual(["create"]);
  expect(await statusFor("127.0.0.2", first)).toBe(403);
  const gone = await cluster.teardown(namespace, inputs);
  expect(changesAtGoogle(gone)).toEqual(["delete"]);
  expect(await policies()).toEqual([]);
});

/** Changes a Cloud Armor policy, as somebody else who may. */
async function compute(method: string, path: string, body: object): Promise<void> {
  const { GHA_ENDPOINT_OVERRIDE_compute: base = "" } = cluster.gke.env;
  const tokenUrl = `${new URL(base).origin}/computeMetadata/v1/instance/service-accounts/default/token`;
  const issued = await fetch(tokenUrl, { headers: { "metadata-flavor": "Google" } });
  const { access_token }: { access_token?: string } = JSON.parse(await issued.text());
  const response = await fetch(`${base}/projects/my-project/global/securityPolicies/${path}`, {
    method,
    headers: { authorization: `Bearer ${access_token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
}
