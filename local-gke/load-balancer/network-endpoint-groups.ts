import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  CoreV1Api,
  type Informer,
  type KubeConfig,
  type KubernetesObject,
  makeInformer,
  type V1Pod,
  type V1PodSpec,
} from "@kubernetes/client-node";
import { kubeConfigFrom } from "../control-plane/client.ts";
import { keepInformed } from "../control-plane/informer.ts";
import { isAttu, startAttu } from "../milvus/attu.ts";
import { proxyConfig } from "../milvus/config.ts";
import { type PodServers, startPod } from "../milvus/pod.ts";
import type { Milvus } from "../milvus/server.ts";
import { milvusVersion } from "../milvus/versions.ts";
import type { Endpoint, Endpoints, ServicePortReference } from "./endpoints.ts";
import { crashPanickingPods } from "./panics.ts";
import {
  acceptsClients,
  configFiles,
  hasReadyContainers,
  isEndpoint,
  isReady,
  portBehind,
  selects,
} from "./pod-object.ts";

const START_AGAIN_MS = 100;

/** One pod that accepts clients. */
interface Member {
  pod: V1Pod;
  /** Its servers, once they have started. */
  served?: PodServers;
  ended?: boolean;
}

/**
 * Watches the pods of all Milvus releases in a cluster, and those of Attu. The nodes run no containers, so
 * this class starts the servers of each pod, with the configuration at the pod's creation.
 */
export class NetworkEndpointGroups extends EventEmitter<{ change: [] }> implements Endpoints {
  readonly #config: KubeConfig;
  readonly #core: CoreV1Api;
  readonly #milvus: Promise<Milvus>;
  readonly #members = new Map<string, Member>();
  readonly #pods;
  readonly #services;
  #stopCrashing: (() => void) | undefined;
  readonly #stopped = new AbortController();

  /** @param milvus the pods forward calls to it; their servers start after it */
  constructor(kubeconfig: string, milvus: Promise<Milvus>) {
    super();
    const config = kubeConfigFrom(kubeconfig);
    this.#config = config;
    this.#core = config.makeApiClient(CoreV1Api);
    this.#milvus = milvus;
    this.#pods = makeInformer(config, "/api/v1/pods", () => this.#core.listPodForAllNamespaces());
    this.#services = makeInformer(config, "/api/v1/services", () => this.#core.listServiceForAllNamespaces());
  }

  /** Resolves when the existing objects are known. */
  async start(): Promise<void> {
    this.#pods.on("add", (pod) => this.#observe(pod));
    this.#pods.on("update", (pod) => this.#observe(pod));
    this.#pods.on("delete", (pod) => this.#end(pod));
    this.#services.on("change", () => this.emit("change"));
    this.#stopCrashing = await crashPanickingPods(this.#config, async (spec, namespace) => {
      const config = proxyConfig(await this.#readConfig(spec, namespace));
      return config.panic !== undefined;
    });
    const keep = <T extends KubernetesObject>(informer: Informer<T>) =>
      keepInformed(informer, "network endpoint groups", this.#stopped.signal);
    await Promise.all([keep(this.#services), keep(this.#pods)]);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#stopCrashing?.();
    await Promise.all([this.#pods.stop(), this.#services.stop()]);
    for (const { pod } of this.#members.values()) this.#end(pod);
  }

  of({ namespace, service: name, port: number }: ServicePortReference): Endpoint[] {
    const service = this.#services.get(name, namespace);
    if (!service) return [];
    const endpoints: Endpoint[] = [];
    for (const { pod, served } of this.#members.values()) {
      if (pod.metadata?.namespace !== namespace || !isEndpoint(pod) || !selects(service, pod)) continue;
      const port = portBehind(service, number, pod);
      if (port === undefined) continue;
      endpoints.push({
        pod: nameOf(pod),
        ipAddress: pod.status?.podIP ?? "",
        node: pod.spec?.nodeName ?? "",
        port,
        ports: served?.ports ?? new Map(),
        isReady: isReady(pod),
      });
    }
    return endpoints;
  }

  /** All pods that accept clients. */
  pods(): V1Pod[] {
    return [...this.#members.values()].map(({ pod }) => pod);
  }

  /** Whether a Service selects a pod. */
  includes({ namespace, service: name }: { namespace: string; service: string }, pod: V1Pod): boolean {
    const service = this.#services.get(name, namespace);
    return service !== undefined && pod.metadata?.namespace === namespace && selects(service, pod);
  }

  #observe(pod: V1Pod): void {
    if (!acceptsClients(pod)) return;
    if (pod.metadata?.deletionTimestamp) {
      this.#end(pod);
      return;
    }
    const uid = pod.metadata?.uid ?? "";
    const existing = this.#members.get(uid);
    if (existing) {
      existing.pod = pod;
      this.#updateReadiness(existing);
      return;
    }
    const member = { pod };
    this.#members.set(uid, member);
    void this.#keepStarting(member);
  }

  /** Tries again after a failure, as a kubelet does: a request to the API server may fail. */
  async #keepStarting(member: Member): Promise<void> {
    while (!member.ended) {
      try {
        return await this.#start(member);
      } catch (error) {
        console.error(`network endpoint groups: pod ${nameOf(member.pod)} does not listen yet: ${error}`);
        await delay(START_AGAIN_MS);
      }
    }
  }

  async #start(member: Member): Promise<void> {
    const served = await this.#serversOf(member.pod);
    if (!served) return;
    if (member.ended) {
      served.close();
      return;
    }
    member.served = served;
    this.#updateReadiness(member);
  }

  /** Starts the servers of a pod. Returns undefined if Milvus ends at its start. */
  async #serversOf({ spec, metadata }: V1Pod): Promise<PodServers | undefined> {
    const image = spec?.containers[0]?.image ?? "";
    if (isAttu(image)) return startAttu();
    const config = proxyConfig(await this.#readConfig(spec, metadata?.namespace ?? ""));
    return config.panic ? undefined : startPod(config, await this.#milvus, milvusVersion(image));
  }

  #updateReadiness(member: Member): void {
    member.served?.setReady(hasReadyContainers(member.pod));
    this.emit("change");
  }

  async #readConfig(spec: V1PodSpec | undefined, namespace: string): Promise<string[]> {
    const files = configFiles(spec);
    // A pod has several files of one ConfigMap.
    const names = [...new Set(files.map(({ configMap }) => configMap))];
    const contents = names.map(async (name) => {
      const { data } = await this.#core.readNamespacedConfigMap({ name, namespace });
      return [name, data ?? {}] as const;
    });
    const found = new Map(await Promise.all(contents));
    return files.map(({ configMap, key }) => found.get(configMap)?.[key] ?? "");
  }

  #end(pod: V1Pod): void {
    const uid = pod.metadata?.uid ?? "";
    const member = this.#members.get(uid);
    if (!member) return;
    member.ended = true;
    this.#members.delete(uid);
    member.served?.close();
    this.emit("change");
  }
}

function nameOf(pod: V1Pod): string {
  return `${pod.metadata?.namespace}/${pod.metadata?.name}`;
}
