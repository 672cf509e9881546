import { ApiextensionsV1Api, type KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cloud } from "../../local-gke/cloud.ts";
import { kubeConfigFrom } from "../../local-gke/control-plane/client.ts";
import type { ControlPlane } from "../../local-gke/control-plane/control-plane.ts";
import { makePki } from "../../local-gke/control-plane/pki.ts";
import { type Controllers, startControllers } from "../../local-gke/ingress/controllers.ts";
import { type KeyPair, Lab, type Recording } from "../integration/support/ingress-lab.ts";
import { aControlPlane } from "../support/control-plane.ts";
import { HTTPS_RULE, SCENARIOS, type Scenario } from "./ingress-traces.ts";

// A twentieth of the real waits: what took ten seconds takes half a second.
const BACKOFF_BASE_MS = 0.25;
const SLOW_INSERT_MS = 100;

let controlPlane: ControlPlane;
let controllers: Controllers;
let cloud: Cloud;
let kubeConfig: KubeConfig;
let keyPairs: [KeyPair, KeyPair];
/** The scenarios that can be played side by side. */
let together: Map<Scenario, Promise<Recording>>;

beforeAll(async () => {
  // Of the local GKE only the control plane: its data path would have an opinion on the backends' health.
  controlPlane = await aControlPlane();
  kubeConfig = kubeConfigFrom(controlPlane.kubeconfig);
  keyPairs = await Promise.all([keyPair(), keyPair()]);
  cloud = new Cloud("127.98.76");
  cloud.reserveAddress("reserved-ip");
  controllers = await startControllers({
    kubeconfig: controlPlane.kubeconfig,
    cloud,
    timing: { backoffBaseMs: BACKOFF_BASE_MS },
  });
  const playable = SCENARIOS.filter(({ alone }) => alone === undefined);
  together = new Map(playable.map((scenario) => [scenario, play(scenario)]));
  // Each test waits for its own; until then a failure is not unhandled.
  await Promise.allSettled(together.values());
});

afterAll(async () => {
  await controllers?.stop();
  await controlPlane?.stop();
});

describe("the stand-in writes what the real controllers wrote", () => {
  test.each(SCENARIOS)("$name", async (scenario) => {
    const recording = await (together.get(scenario) ?? playAlone(scenario));
    expect(recording.events).toEqual(scenario.events);
    // Without the finalizer a deleted Ingress goes at once.
    const deleted = scenario.changes.includes("finalizer") ? ["gone"] : ["deletionTimestamp set", "gone"];
    expect(recording.changes).toEqual([...scenario.changes, ...deleted]);
    expect(recording.service.filter((line) => line.startsWith("Warning"))).toEqual([]);
  });

  test("NEG and its events on the Service, though the Ingress never works", async () => {
    const scenario = SCENARIOS.find(({ name }) => name.startsWith("path /*"));
    const recording = await (scenario && together.get(scenario));
    expect(recording?.service.toSorted()).toEqual([
      'Normal Attach: Attach 1 network endpoint(s) (NEG "NEG" in zone "us-central1-a")',
      'Normal Create: Created NEG "NEG" for NS/my-release-milvus-NEG-milvus/19530-milvus-GCE_VM_IP_PORT-L7 in "us-central1-a".',
      "neg-status removed",
      'neg-status {"network_endpoint_groups":{"19530":"NEG"},"zones":["us-central1-a"]}',
    ]);
  });

  test("nothing is left at Google when all Ingresses are gone", () => {
    expect([...cloud.loadBalancers.keys()]).toEqual([]);
    expect([...cloud.backends.keys()]).toEqual([]);
  });
});

describe("what can be changed while the controllers run", () => {
  test("an address that takes 41 minutes can be made to come at once, and its wait ends with the Ingress", async () => {
    controllers.timing.addressDelayMs = 41 * 60_000;
    const [waiting, deleted] = await Promise.all(
      ["waiting", "deleted"].map((namespace) => Lab.open({ kubeConfig, cloud, keyPairs, namespace }, {})),
    );
    if (!waiting || !deleted) throw new Error("no labs");
    try {
      await Promise.all([waiting, deleted].map((lab) => lab.until(() => lab.count(HTTPS_RULE) > 0)));
      await waiting.settle();
      expect(waiting.address).toBeUndefined();
      await deleted.deleteIngress();
      expect(deleted.recording().changes).not.toContain("address");
      controllers.timing.addressDelayMs = 0;
      await waiting.until(() => waiting.address !== undefined);
      await waiting.deleteIngress();
    } finally {
      controllers.timing.addressDelayMs = 0;
      waiting.close();
      deleted.close();
    }
  });

  test("an Ingress that nobody touches is synced again after resyncMs", async () => {
    const lab = await Lab.open({ kubeConfig, cloud, keyPairs, namespace: "resync" }, {});
    try {
      await lab.until(() => lab.statusAnnotation("backends") !== undefined);
      await lab.settle();
      cloud.setFault("unhealthy-backends", true);
      controllers.timing.resyncMs = 100;
      await controllers.stop();
      controllers = await startControllers({
        kubeconfig: controlPlane.kubeconfig,
        cloud,
        timing: controllers.timing,
      });
      await lab.until(() => lab.statusAnnotation("backends")?.includes("UNHEALTHY") === true);
      cloud.setFault("unhealthy-backends", false);
      await lab.until(() => lab.statusAnnotation("backends")?.includes("UNHEALTHY") === false);
      await lab.deleteIngress();
    } finally {
      lab.close();
    }
  });

  test("without the ingress controller there are no CRDs, no events and no address; all is well when it is back", async () => {
    const api = kubeConfig.makeApiClient(ApiextensionsV1Api);
    const names = async () =>
      (await api.listCustomResourceDefinition()).items.map(({ spec }) => spec.names.kind);
    expect((await names()).sort()).toEqual(["BackendConfig", "FrontendConfig", "ManagedCertificate"]);
    cloud.setFault("no-ingress-controller", true);
    await expect.poll(names).toEqual([]);
    const lab = await Lab.open(
      { kubeConfig, cloud, keyPairs, namespace: "off" },
      { backendConfig: "missing" },
    );
    try {
      expect(lab.recording()).toEqual({ events: [], changes: [], service: [] });
      cloud.setFault("no-ingress-controller", false);
      await expect.poll(names).toHaveLength(3);
      await lab.until(() => lab.recording().events.length > 0);
      await lab.deleteIngress();
    } finally {
      lab.close();
    }
  });
});

/** Plays a scenario, deletes its Ingress and returns all that was seen. */
async function play(scenario: Scenario): Promise<Recording> {
  const namespace = `t${SCENARIOS.indexOf(scenario)}`;
  const lab = await Lab.open({ kubeConfig, cloud, keyPairs, namespace }, scenario.given);
  try {
    await scenario.play(lab);
    if (lab.hasIngress) await lab.deleteIngress();

    await lab.until(() => !lab.hasNegStatus);
    return lab.recording();
  } finally {
    lab.close();
  }
}

async function playAlone(scenario: Scenario): Promise<Recording> {
  const { alone } = scenario;
  if (alone === undefined) throw new Error(`${scenario.name} was to be played with the others`);
  if (alone === "slow-inserts") controllers.timing.insertDelayMs = SLOW_INSERT_MS;
  else cloud.setFault(alone, true);
  try {
    return await play(scenario);
  } finally {
    controllers.timing.insertDelayMs = 0;
    if (alone !== "slow-inserts") cloud.setFault(alone, false);
  }
}

async function keyPair(): Promise<KeyPair> {
  const { servingCertificate, servingKey } = await makePki();
  return { certificate: servingCertificate, privateKey: servingKey };
}
