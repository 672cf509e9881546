import { beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { useCluster } from "./support/cluster.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const HOUR_MS = 3_600_000;
/** What the ingress controller says where the network belongs to another project. */
const FIREWALL_ADVICE =
  "Firewall change required by security admin: `gcloud compute firewall-rules create x`";
const LOSSES = [
  { kind: "Secret", name: "my-release-milvus-tls", namespace: "lost-secret" },
  { kind: "Service", name: "my-release-milvus", namespace: "lost-service" },
  { kind: "Ingress", name: "my-release-milvus", namespace: "lost-ingress" },
];

const cluster = useCluster();

describe("while the address is waited for", () => {
  beforeAll(async () => {
    await cluster.setTime("addressDelayMs", HOUR_MS);
    const namespaces = [...LOSSES.map(({ namespace }) => namespace), "late", "other-class"];
    await Promise.all(namespaces.map((namespace) => cluster.installSmall(namespace)));
  });

  describe.concurrent("an object that vanishes ends the wait", () => {
    test.each(LOSSES)("$kind", async ({ kind, name, namespace }) => {
      const step = await cluster.start(namespace);
      await step.line(/^::group::Wait for the address/);
      await cluster.kubectl("delete", kind, name, "-n", namespace, "--wait=false");
      const { error, outputs, summary } = expectFailure(await step.ended);
      expect(error).toContain(
        `${kind} ${namespace}/${name} was deleted while this action waited for the load balancer.`,
      );
      expect(error).toContain("What to do:");
      expect(summary).toMatch(/^## Failed in step: Wait for the address \(/);
      expect(summary).toContain("| Ingress `my-release-milvus` |  | create | done |");
      expect(summary).toContain('address["Address"]:::broken');
      expect(outputs).toMatchObject({
        changed: "true",
        release_revision: "2",
        certificate_status: "Provisioning",
      });
      expect(outputs.address).toBeUndefined();
    });
  });

  test("an Ingress that something gives another class ends the wait", async () => {
    const namespace = "other-class";
    const step = await cluster.start(namespace);
    await step.line(/^::group::Wait for the address/);
    await cluster.kubectl(
      ...["annotate", "ingress", "my-release-milvus", "-n", namespace],
      ...["kubernetes.io/ingress.class=nginx", "--overwrite"],
    );
    const { error } = expectFailure(await step.ended);
    expect(error).toMatch(
      /can't be made: something has changed the Ingress's class\.\nWhy: the class was gce, and is nginx now.*\n.*managed-fields[\s\S]*#other-ingress-class$/,
    );
  });

  test("an address that comes late is as good as any", async () => {
    const step = await cluster.start("late");
    await step.line(/^::group::Wait for the address/);
    await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
    const { outputs } = expectSuccess(await step.ended);
    expect(outputs.milvus_version).toMatch(/\d+\.\d+/);
  });

  test("address_timeout says what the controller said last", async () => {
    await cluster.setTime("addressDelayMs", HOUR_MS);
    try {
      await cluster.kubectl("delete", "ingress", "my-release-milvus", "-n", "late");
      const { error } = await cluster.failure("late", { address_timeout: "1s" });
      expect(error).toContain("Ingress late/my-release-milvus has no address after 1");
      expect(error).toMatch(/Why: (the controller's last Warning|no new events|no Warning|no controller)/);
    } finally {
      await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
    }
  });
});

describe("what Google refuses ends the wait, and the next run goes on once it is mended", () => {
  const rows = [
    {
      fault: "ssl-certificate-quota" as const,
      says: [
        "QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded",
        "What to do: raise that quota",
        /\nMore: docs\/troubleshooting\.md#quota$/,
      ],
    },
    {
      fault: "backend-service-quota" as const,
      says: ["Quota 'BACKEND_SERVICES' exceeded", "What to do: raise that quota"],
    },
    {
      fault: "organization-policy" as const,
      says: [
        "the organisation policy constraints/compute.restrictLoadBalancerCreationForTypes forbids it",
        /Why: .*conditionNotMet \(repeated/,
        "What to do: have an administrator of organisation policies permit it",
      ],
    },
    {
      fault: "unhealthy-backends" as const,
      says: [
        /has no healthy backend after 15s\./,
        /backend k8s1-\S+ is UNHEALTHY/,
        FIREWALL_ADVICE,
        "NetworkPolicy deny-all keeps Google's health checks out of the pods",
        /Google's health check fails on my-release-milvus-\S+ \([\d.]+:19530\)/,
        "What to do: admit 130.211.0.0/22 and 35.191.0.0/16 to the pods' ports",
      ],
    },
  ];
  beforeAll(async () => {
    await Promise.all(rows.map(({ fault }) => cluster.installSmall(fault)));
    const namespace = "unhealthy-backends";
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "firewall", namespace },
      involvedObject: { kind: "Ingress", name: "my-release-milvus", namespace },
      type: "Normal",
      reason: "XPN",
      message: FIREWALL_ADVICE,
    };
    const policy = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "deny-all", namespace },
      spec: { podSelector: {} },
    };
    for (const object of [event, policy]) await cluster.apply(object);
  });

  test.each(rows)("$fault", async ({ fault, says }) => {
    await cluster.setFault(fault, true);
    try {
      const { error } = await cluster.failure(fault, { backends_timeout: "15s" });
      for (const text of says) expect(error).toMatch(text);
    } finally {
      await cluster.setFault(fault, false);
    }
    // It may nudge Google's controllers, which is a write, but no change.
    const mended = await cluster.deploy(fault);
    expect(mended.outputs).toMatchObject({ changed: "false", certificate_status: "Active" });
  });
});

test("pods that no health check reaches, and whose health may not be read at Google", async () => {
  const namespace = "no-firewall-rule";
  await cluster.installSmall(namespace);
  await cluster.setFault("unhealthy-backends", true);
  await cluster.setFault("refuse-compute", true);
  try {
    const { error, lines } = await cluster.failure(namespace, { backends_timeout: "15s" });
    expect(error).toMatch(/has no healthy backend after 15s\.[\s\S]*#unhealthy-backends$/);
    expect(error).toContain(
      "have an administrator of the network run: gcloud compute firewall-rules create google-health-checks --project=my-project --network=default --source-ranges=130.211.0.0/22,35.191.0.0/16 --allow=tcp:9091,tcp:19530",
    );
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^The Ingress's annotation tells the health of backends, as Google's .*: Required 'compute\.backendServices\.get' permission for 'projects\/my-project\/global\/backendServices\/k8s1-/,
      ),
    );
  } finally {
    await cluster.setFault("refuse-compute", false);
    await cluster.setFault("unhealthy-backends", false);
  }
});

test("a health check that Milvus doesn't answer is named with the pods that fail it", async () => {
  const namespace = "wrong-health-check";
  await cluster.installSmall(namespace);
  const { error } = await cluster.failure(namespace, {
    backends_timeout: "15s",
    helm_timeout: "2m",
    backend_config: "healthCheck: { requestPath: /wrong }",
  });
  expect(error).toMatch(
    /has no healthy backend after 15s\.\nWhy: .*asks for HTTP \/wrong on port 9091.*; Google's health check fails on my-release-milvus-\S+ \([\d.]+:19530\)\n[\s\S]*#health-check$/,
  );
});

test("the load balancer's 502 is explained by a Service that has lost its protocol", async () => {
  const namespace = "wrong-protocol";
  await cluster.installSmall(namespace);
  await cluster.setTime("addressDelayMs", HOUR_MS);
  try {
    const step = await cluster.start(namespace, { backends_timeout: "15s" });
    await step.line(/^::group::Wait for the address/);
    await cluster.kubectl(
      ...["annotate", "service", "my-release-milvus", "-n", namespace, "--overwrite"],
      'cloud.google.com/app-protocols={"19530":"HTTP2"}',
    );
    await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
    const { error } = expectFailure(await step.ended);
    expect(error).toMatch(
      /Milvus has not answered at \S+ as \S+ within 15s\.\nWhy: .*502.*names 19530, and the Service's ports are named milvus, .*\n[\s\S]*#app-protocols-port$/,
    );
  } finally {
    await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
  }
});

test("what Google refuses is reported soon although the controller's own next try is far off", async () => {
  const namespace = "far-off";
  await cluster.installSmall(namespace);
  await cluster.deploy(namespace, { wait_for: "address" });
  await cluster.setTime("backoffBaseMs", HOUR_MS);
  await cluster.setFault("ssl-certificate-quota", true);
  try {
    // Another certificate, and an address that comes after it.
    const inputs = { tls_secret: "other", allow_http: "true", address_timeout: "5m" };
    const { error } = await cluster.failure(namespace, inputs);
    expect(error).toContain("What to do: raise that quota");
  } finally {
    await cluster.setFault("ssl-certificate-quota", false);
    await cluster.setTime("backoffBaseMs", DEFAULT_TIMING.backoffBaseMs);
  }
});
