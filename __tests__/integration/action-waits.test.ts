import { beforeAll, beforeEach, expect, test } from "vitest";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { useCluster } from "./support/cluster.ts";
import { INGRESS, SERVICE } from "./support/names.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const HOUR_MS = 3_600_000;
const NAMESPACE = "waits";
/** What the ingress controller says where the network belongs to another project. */
const FIREWALL_ADVICE =
  "Firewall change required by security admin: `gcloud compute firewall-rules create x`";
/** Longer than backends need that get healthy. Google is asked about the others after half of it. */
const BACKENDS_TIMEOUT = { backends_timeout: "8s" };

const cluster = useCluster();

beforeAll(() => cluster.installSmall(NAMESPACE));

// All tests share a release, which is upgraded once. Each of them begins with another load balancer.
beforeEach(async () => {
  await cluster.control("DELETE", "settings");
  await cluster.kubectl("delete", "ingress", INGRESS, "-n", NAMESPACE, "--ignore-not-found");
});

test("the wait for the address ends with a deleted Ingress, at its limit, and with an address that comes late", async () => {
  await cluster.setTime("addressDelayMs", HOUR_MS);

  const interrupted = await cluster.start(NAMESPACE);
  await interrupted.line(/^::group::Wait for the address/);
  await cluster.kubectl("delete", "ingress", INGRESS, "-n", NAMESPACE, "--wait=false");
  const { error, outputs, summary } = expectFailure(await interrupted.ended);
  expect(error).toContain(
    `Ingress ${NAMESPACE}/${INGRESS} was deleted while this action waited for the load balancer.`,
  );
  expect(error).toContain("What to do:");
  expect(summary).toMatch(/^## Failed in step: Wait for the address \(/);
  expect(summary).toContain(`| Ingress \`${INGRESS}\` |  | create | done |`);
  expect(summary).toContain('address["Address"]:::broken');
  expect(outputs).toMatchObject({
    changed: "true",
    release_revision: "2",
    certificate_status: "Provisioning",
  });
  expect(outputs.address).toBeUndefined();

  const limited = await cluster.failure(NAMESPACE, { address_timeout: "1s" });
  expect(limited.error).toContain(`Ingress ${NAMESPACE}/${INGRESS} has no address after 1`);
  expect(limited.error).toMatch(
    /Why: (the controller's last Warning|no new events|no Warning|no controller)/,
  );

  const late = await cluster.start(NAMESPACE);
  await late.line(/^::group::Wait for the address/);
  await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
  expect(expectSuccess(await late.ended).outputs.milvus_version).toMatch(/\d+\.\d+/);
});

test("what Google refuses ends the wait, and the next run goes on once it is mended", async () => {
  await cluster.setFault("organization-policy", true);
  const forbidden = await cluster.failure(NAMESPACE);
  expect(forbidden.error).toMatch(
    /the organisation policy constraints\/compute\.restrictLoadBalancerCreationForTypes forbids it[\s\S]*Why: .*conditionNotMet \(repeated/,
  );
  expect(forbidden.error).toContain("What to do: have an administrator of organisation policies permit it");
  await cluster.setFault("organization-policy", false);

  // The health of pods may not be read at Google. Nobody says what keeps health checks from them.
  await cluster.setFault("unhealthy-backends", true);
  await cluster.setFault("refuse-compute", true);
  const unreachable = await cluster.failure(NAMESPACE, BACKENDS_TIMEOUT);
  expect(unreachable.error).toMatch(/has no healthy backend after 8\.0s\.[\s\S]*#unhealthy-backends$/);
  expect(unreachable.error).toContain(
    "have an administrator of the network run: gcloud compute firewall-rules create google-health-checks --project=my-project --network=default --source-ranges=130.211.0.0/22,35.191.0.0/16 --allow=tcp:9091,tcp:19530",
  );
  expect(unreachable.lines).toContainEqual(
    expect.stringMatching(
      /^The Ingress's annotation tells the health of backends, as Google's .*: Required 'compute\.backendServices\.get' permission for 'projects\/my-project\/global\/backendServices\/k8s1-/,
    ),
  );
  await cluster.setFault("refuse-compute", false);

  // It may be read, and the cluster says what is in the way.
  await cluster.apply({
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "firewall", namespace: NAMESPACE },
    involvedObject: { kind: "Ingress", name: INGRESS, namespace: NAMESPACE },
    type: "Normal",
    reason: "XPN",
    message: FIREWALL_ADVICE,
  });
  await cluster.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "deny-all", namespace: NAMESPACE },
    spec: { podSelector: {} },
  });
  const unhealthy = await cluster.failure(NAMESPACE, BACKENDS_TIMEOUT);
  for (const text of [
    /has no healthy backend after 8\.0s\./,
    /backend k8s1-\S+ is UNHEALTHY/,
    FIREWALL_ADVICE,
    "NetworkPolicy deny-all keeps Google's health checks out of the pods",
    /Google's health check fails on my-release-milvus-\S+ \([\d.]+:19530\)/,
    "What to do: admit 130.211.0.0/22 and 35.191.0.0/16 to the pods' ports",
  ]) {
    expect(unhealthy.error).toMatch(text);
  }
  await cluster.kubectl("delete", "networkpolicy/deny-all", "event/firewall", "-n", NAMESPACE);
  await cluster.setFault("unhealthy-backends", false);

  // It may nudge Google's controllers, which is a write, but no change.
  const mended = await cluster.deploy(NAMESPACE);
  expect(mended.outputs).toMatchObject({ changed: "false", certificate_status: "Active" });

  // The controller's own next try is far off. The address comes after the other certificate.
  await cluster.setTime("backoffBaseMs", HOUR_MS);
  await cluster.setFault("ssl-certificate-quota", true);
  const inputs = { tls_secret: "other", allow_http: "true", address_timeout: "5m" };
  const withoutCertificate = await cluster.failure(NAMESPACE, inputs);
  expect(withoutCertificate.error).toMatch(
    /QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded[\s\S]*What to do: raise that quota[\s\S]*\nMore: docs\/troubleshooting\.md#quota$/,
  );
});

test("a health check that Milvus doesn't answer is named with the pods that fail it", async () => {
  const { error } = await cluster.failure(NAMESPACE, {
    ...BACKENDS_TIMEOUT,
    helm_timeout: "2m",
    backend_config: "healthCheck: { requestPath: /wrong }",
  });
  expect(error).toMatch(
    /has no healthy backend after 8\.0s\.\nWhy: .*asks for HTTP \/wrong on port 9091.*; Google's health check fails on my-release-milvus-\S+ \([\d.]+:19530\)\n[\s\S]*#health-check$/,
  );
});

test("the load balancer's 502 is explained by a Service that has lost its protocol", async () => {
  await cluster.setTime("addressDelayMs", HOUR_MS);
  const step = await cluster.start(NAMESPACE, BACKENDS_TIMEOUT);
  await step.line(/^::group::Wait for the address/);
  await cluster.kubectl(
    ...["annotate", "service", SERVICE, "-n", NAMESPACE, "--overwrite"],
    'cloud.google.com/app-protocols={"19530":"HTTP2"}',
  );
  await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
  const { error } = expectFailure(await step.ended);
  expect(error).toMatch(
    /Milvus has not answered at \S+ as \S+ within 8\.0s\.\nWhy: .*502.*names 19530, and the Service's ports are named milvus, .*\n[\s\S]*#app-protocols-port$/,
  );
});
