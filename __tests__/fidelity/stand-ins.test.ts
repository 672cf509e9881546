import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, test, vi } from "vitest";
import { DEPLOYER_ID } from "../../local-gke/control-plane/tokens.ts";
import { useCluster } from "../integration/support/cluster.ts";

/*
 * Each thing that a real cluster does and a test can switch on. Tests of the action rely on it.
 */

const PROXY = "component=standalone";
const LIMIT = 100_000;

const cluster = useCluster();

/** One pod of the release in a namespace. */
async function podIn(namespace: string) {
  const list = JSON.parse(await cluster.kubectl("get", "pods", "-n", namespace, "-l", PROXY, "-o", "json"));
  return list.items[0];
}

async function ready(namespace: string): Promise<void> {
  const args = ["wait", "deployment/my-release-milvus-standalone", "--for=condition=Available"];
  await cluster.kubectl(...args, "-n", namespace, "--timeout=100s");
}

async function events(namespace: string, reason: string): Promise<string[]> {
  const selector = ["--field-selector", `reason=${reason}`, "-o", "jsonpath={.items[*].message}"];
  const messages = await cluster.kubectl("get", "events", "-n", namespace, ...selector);
  return messages === "" ? [] : [messages];
}

test("a pod exits four times with back-off, runs, and is ready later", async () => {
  const namespace = "crashing";
  const annotations = {
    "local-gke/crashes": "4",
    "local-gke/back-off-ms": "20",
    "local-gke/ready-after": "300ms",
  };
  await cluster.installSmall(namespace, { annotations });
  await ready(namespace);
  const [status] = (await podIn(namespace)).status.containerStatuses;
  expect(status).toMatchObject({
    restartCount: 4,
    ready: true,
    state: { running: {} },
    lastState: { terminated: { exitCode: 1 } },
  });
  expect(status.state).not.toHaveProperty("waiting");
  expect(await events(namespace, "BackOff")).not.toEqual([]);
});

test("a node comes late for a pod that no node fits", async () => {
  const namespace = "node-to-come";
  const nodeSelector = { "cloud.google.com/gke-nodepool": "autoscaled-stand-in" };
  await cluster.setTime("nodeProvisionMs", 600_000);
  await cluster.installSmall(namespace, { nodeSelector });
  await vi.waitFor(async () => {
    expect(await events(namespace, "TriggeredScaleUp")).toEqual([
      expect.stringMatching(
        /^pod triggered scale-up: \[\{https:\S+-autoscaled-stand-in-grp 0->1 \(max: 3\)\}\]$/,
      ),
    ]);
  }, LIMIT);
  expect(await events(namespace, "FailedScheduling")).toEqual([
    expect.stringMatching(/^0\/2 nodes are available/),
  ]);
  await cluster.setTime("nodeProvisionMs", 0);
  await ready(namespace);

  // Another test file may get the cluster as it was.
  const deployment = ["deployment", "my-release-milvus-standalone", "-n", namespace];
  await cluster.kubectl("delete", ...deployment, "--cascade=foreground");
  await cluster.kubectl("delete", "node", "gke-my-cluster-autoscaled-stand-in-1");
});

test("an organization policy forbids the load balancers of one namespace", async () => {
  const [denied, allowed] = ["policy-denied", "policy-allowed"];
  await cluster.setFaultIn(denied, "organization-policy", true);
  for (const namespace of [denied, allowed]) {
    await cluster.installSmall(namespace, {
      ingress: { enabled: true, annotations: { "kubernetes.io/ingress.class": "gce" } },
      service: { type: "NodePort" },
    });
  }
  await vi.waitFor(async () => expect(await events(allowed, "IPChanged")).not.toEqual([]), LIMIT);
  await vi.waitFor(async () => {
    const messages = (await events(denied, "Sync")).join();
    expect(messages).toContain(
      "googleapi: Error 412: Constraint constraints/compute.restrictLoadBalancerCreationForTypes violated for " +
        "projects/my-project. ",
    );
    expect(messages).toContain("is not allowed., conditionNotMet");
  }, LIMIT);
  expect(await events(denied, "IPChanged")).toEqual([]);
});

test("Identity-Aware Proxy refuses what one namespace's load balancer gets", async () => {
  const namespace = "iap";
  await cluster.installSmall(namespace, {
    ingress: {
      enabled: true,
      annotations: { "kubernetes.io/ingress.class": "gce" },
      rules: [{ host: "iap.example", path: "/", pathType: "Prefix" }],
    },
    service: { type: "NodePort" },
  });
  await cluster.setFaultIn(namespace, "identity-aware-proxy", true);
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  const get = ["get", "ingress", "my-release-milvus", "-n", namespace, "-o", path];
  const address = await vi.waitFor(async () => {
    const found = await cluster.kubectl(...get);
    expect(found).not.toBe("");
    return found;
  }, LIMIT);
  const answer = () => getPage(address, "iap.example");
  await vi.waitFor(async () => {
    expect(await answer()).toEqual({ status: 401, text: "Invalid IAP credentials: empty token" });
  }, LIMIT);
  await cluster.setFaultIn(namespace, "identity-aware-proxy", false);
  expect((await answer()).status).not.toBe(401);
});

describe("a token", () => {
  /** Returns who a token with these scopes is, according to the API server. */
  async function whoHas(scopes: string[]): Promise<string> {
    const { origin } = new URL(cluster.gke.env.GHA_ENDPOINT_OVERRIDE_compute ?? "");
    const url = `${origin}/computeMetadata/v1/instance/service-accounts/default/token?scopes=${scopes}`;
    const issued = await fetch(url, { headers: { "metadata-flavor": "Google" } });
    const { access_token } = Object(await issued.json());
    const as = ["--token", String(access_token), "-o", "jsonpath={.status.userInfo.username}"];
    return cluster.kubectl("auth", "whoami", ...as);
  }

  test("is the service account's e-mail address only with the scope for it", async () => {
    const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform";
    const email = "https://www.googleapis.com/auth/userinfo.email";
    expect(await whoHas([cloudPlatform])).toBe(DEPLOYER_ID);
    expect(await whoHas([cloudPlatform, email])).toBe("deployer@my-project.iam.gserviceaccount.com");
  });
});

/** Gets `/` of a host at an address, without TLS. */
async function getPage(address: string, host: string): Promise<{ status: number; text: string }> {
  const outgoing = request({ host: address, port: 80, headers: { host } });
  outgoing.end();
  const [incoming]: IncomingMessage[] = await once(outgoing, "response");
  if (!incoming) throw new Error("there was no response");
  return { status: incoming.statusCode ?? 0, text: await text(incoming) };
}
