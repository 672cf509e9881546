import { setTimeout as delay } from "node:timers/promises";
import {
  AdmissionregistrationV1Api,
  ApiException,
  CoreV1Api,
  type KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
} from "@kubernetes/client-node";
import * as v from "valibot";
import { serveAdmissionWebhook } from "../admission-webhook.ts";
import type { BackendService, Cloud } from "../cloud.ts";
import { kubeConfigFrom } from "../control-plane/client.ts";
import { negForIngress } from "../ingress/annotations.ts";
import { EventRecorder } from "../ingress/events.ts";
import type { Timing } from "../ingress/timing.ts";
import type { Endpoint } from "./endpoints.ts";
import { type GateCondition, gateCondition, READINESS_GATE } from "./gate-condition.ts";
import type { NetworkEndpointGroups } from "./network-endpoint-groups.ts";
import { ACCEPTS_CLIENTS } from "./panics.ts";
import { conditionIsTrue, selects } from "./pod-object.ts";

const INTERVAL_MS = 50;
const STRATEGIC = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);

const Pod = v.object({
  metadata: v.object({ labels: v.optional(v.record(v.string(), v.string()), {}) }),
  spec: v.object({ readinessGates: v.optional(v.array(v.unknown()), []) }),
});

interface Options {
  kubeconfig: string;
  cloud: Cloud;
  groups: NetworkEndpointGroups;
  /** The endpoints that pass a backend's health check. */
  healthy(backend: BackendService): Endpoint[];
  timing: Timing;
}

/**
 * Starts the stand-ins for GKE's webhook that adds the readiness gate to new pods, and for ingress-gce's
 * readiness reflector, which sets the gate's condition.
 */
export async function startReadinessGates(options: Options): Promise<{ stop(): Promise<void> }> {
  const config = kubeConfigFrom(options.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const closeWebhook = await addReadinessGates(config, core);
  const reflector = new ReadinessReflector(core, options);
  return {
    async stop() {
      closeWebhook();
      await reflector.stop();
    },
  };
}

/** Adds the readiness gate to new pods of Services that request network endpoint groups. */
async function addReadinessGates(config: KubeConfig, core: CoreV1Api): Promise<() => void> {
  const webhook = await serveAdmissionWebhook(async ({ object, namespace }) => {
    const { metadata, spec } = v.parse(Pod, object);
    const { items } = await core.listNamespacedService({ namespace });
    const inGroup = items.some(
      (service) => negForIngress(service) === true && selects(service, { metadata }),
    );
    if (!inGroup) return [];
    const value = [...spec.readinessGates, { conditionType: READINESS_GATE }];
    return [{ op: "add", path: "/spec/readinessGates", value }];
  });
  await config.makeApiClient(AdmissionregistrationV1Api).createMutatingWebhookConfiguration({
    body: {
      metadata: { generateName: "neg-readiness-gates-" },
      webhooks: [
        {
          ...webhook.registration,
          name: "neg-readiness-gates.local-gke.dev",
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          matchConditions: [{ name: "milvus", expression: ACCEPTS_CLIENTS }],
          failurePolicy: "Ignore",
          timeoutSeconds: 5,
        },
      ],
    },
  });
  return webhook.close;
}

/** Sets the condition of each pod's readiness gate until it is True. */
class ReadinessReflector {
  readonly #core: CoreV1Api;
  readonly #options: Options;
  readonly #events: EventRecorder;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;

  constructor(core: CoreV1Api, options: Options) {
    this.#core = core;
    this.#options = options;
    this.#events = new EventRecorder(core, "neg-readiness-reflector");
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    await this.#events.flush();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const waiting = this.#options.groups.pods().filter(isWaiting);
      await Promise.all(waiting.map((pod) => this.#sync(pod)));
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #sync(pod: V1Pod): Promise<void> {
    const condition = this.#conditionOf(pod);
    const present = pod.status?.conditions?.find(({ type }) => type === READINESS_GATE);
    if (present?.reason === condition.reason && present.message === condition.message) return;
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    const involved = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
    this.#events.record(involved, "Normal", condition.reason, condition.message);
    try {
      const body = { status: { conditions: [condition] } };
      await this.#core.patchNamespacedPodStatus({ namespace, name, body }, STRATEGIC);
    } catch (error) {
      // The pod was deleted.
      if (error instanceof ApiException && error.code === 404) return;
      console.error(`readiness gate of pod ${namespace}/${name}: ${error}`);
    }
  }

  #conditionOf(pod: V1Pod): GateCondition {
    const { cloud, groups, healthy, timing } = this.#options;
    const backends = [...cloud.backends.values()].filter((backend) => groups.includes(backend, pod));
    const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
    const healthyIn = backends.find(
      (backend) =>
        !cloud.hasFaultIn(backend.namespace, "unhealthy-backends") &&
        healthy(backend).some((endpoint) => endpoint.pod === key),
    );
    // An informer's watch leaves the time a string.
    const created = new Date(pod.metadata?.creationTimestamp ?? Date.now()).getTime();
    return gateCondition({
      groups: backends.map(({ name }) => name),
      healthyIn: healthyIn?.name,
      zone: cloud.zone,
      timedOut: Date.now() > created + timing.readinessGateMs,
    });
  }
}

function isWaiting(pod: V1Pod): boolean {
  const isGated = pod.spec?.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE);
  return isGated === true && !conditionIsTrue(pod, READINESS_GATE) && !pod.metadata?.deletionTimestamp;
}
