import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import type { Program } from "../base/process.ts";
import { type Answer, conflictError, conflictsIn, refusal, statusOf, unreachable } from "./answers.ts";
import { Discovery } from "./discovery.ts";
import { FIELD_MANAGER } from "./managed-fields.ts";
import { KubernetesList, KubernetesObject, ListedObject } from "./objects.ts";
import { type KubectlProxy, startProxy } from "./proxy.ts";
import { answerOf, ask, type PatchType, type RequestOptions } from "./requests.ts";
import {
  collectionPath,
  type Kind,
  objectPath,
  type Resource,
  resourceOf,
  type Selector,
  selectionPath,
  titleOf,
} from "./resources.ts";
import { adoptionPatch } from "./take-over.ts";

export type { Kind, Selector } from "./resources.ts";

/** An object to apply. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    /** Doesn't count where the kind isn't namespaced. */
    namespace?: string;
    annotations?: Record<string, string>;
  };
}

export interface ApplyOptions {
  /** The API server validates and merges, and stores nothing. */
  dryRun: boolean;
  /** Takes over the fields that others manage, where that would be refused otherwise. */
  force?: boolean;
  /** Where the manifest comes from, for errors, e.g. `k8s/policy.yaml, line 12`. */
  origin?: string | undefined;
}

interface DeleteOptions {
  /** Only this very object, not a later one of its name. */
  uid?: string | undefined;
  /** Nothing is deleted. */
  dryRun?: boolean;
}

/** A line of a log may be of any length. */
const MAX_LOG_BYTES = 64 * 1024;
const TAKE_OVER_ATTEMPTS = 10;

const Version = v.looseObject({ gitVersion: v.string() });

const AccessReview = v.looseObject({ status: v.looseObject({ allowed: v.boolean() }) });

/** The cluster's API server. Every method throws an ActionError when it can't be reached or refuses. */
export class ApiServer {
  readonly #proxy: KubectlProxy;
  readonly #discovery = new Discovery((path) => this.#ask("GET", path));

  private constructor(proxy: KubectlProxy) {
    this.#proxy = proxy;
  }

  /**
   * Opens a way to the API server that `kubectl` is pointed at. Whether it can be reached shows at the first request.
   *
   * @param directory a folder that only this job's user can enter
   * @throws ActionError when the kubeconfig can't be used
   */
  static async open(kubectl: Program, directory: string): Promise<ApiServer> {
    return new ApiServer(await startProxy(kubectl, directory));
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }

  /** What every request fails with once the way to the API server is gone for good, undefined before. */
  get end(): ActionError | undefined {
    return this.#proxy.end;
  }

  /**
   * Returns the API server's version, e.g. `v1.35.4-gke.1000000`; undefined where that is kept from this account. The
   * cheapest way to learn whether the API server can be reached and knows the account.
   */
  async version(): Promise<string | undefined> {
    const answer = await this.#ask("GET", "/version");
    if (answer.code === 200) return v.parse(Version, JSON.parse(answer.body)).gitVersion;
    if (answer.code === 403) return undefined;
    const what = answer.code === 401 ? "does not let this job in" : "does not answer";
    throw refusal(`The cluster's API server ${what}.`, answer);
  }

  /** Returns an object, undefined when there is none of that name. */
  async get(kind: Kind, namespace: string, name: string): Promise<unknown> {
    return this.#find(resourceOf(kind), namespace, name);
  }

  /**
   * Returns the object that a manifest is of, undefined when there is none, also for want of its kind.
   *
   * @param origin where the manifest comes from, for errors
   */
  async find(
    { apiVersion, kind, metadata }: Manifest,
    origin?: string,
  ): Promise<KubernetesObject | undefined> {
    const resource = await this.#discovery.find(apiVersion, kind);
    const object = resource && (await this.#find(resource, metadata.namespace ?? "", metadata.name, origin));
    return object === undefined ? undefined : v.parse(KubernetesObject, object);
  }

  /** Tells whether the cluster knows a manifest's kind. */
  async knows({ apiVersion, kind }: Manifest): Promise<boolean> {
    return (await this.#discovery.find(apiVersion, kind)) !== undefined;
  }

  /** Tells whether a namespace exists. */
  async hasNamespace(name: string): Promise<boolean> {
    return (await this.#find(resourceOf("Namespace"), "", name)) !== undefined;
  }

  /** Returns the UID of the namespace kube-system, by which clusters are told apart; undefined where it is kept from this account. */
  async clusterUid(): Promise<string | undefined> {
    const answer = await this.#ask("GET", objectPath(resourceOf("Namespace"), "", "kube-system"));
    if (answer.code === 403) return undefined;
    if (answer.code !== 200) throw refusal("The API server does not show Namespace kube-system.", answer);
    return v.parse(ListedObject, JSON.parse(answer.body)).metadata.uid;
  }

  /**
   * Tells whether the account may do something in a namespace.
   *
   * @param resource with its API group, e.g. `secrets` or `deployments.apps`
   */
  async allows(namespace: string, resource: string, verb: string): Promise<boolean> {
    const [plural, ...group] = resource.split(".");
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace, group: group.join("."), resource: plural, verb } },
    };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const answer = await this.#ask("POST", path, { contentType: "application/json", body: review });
    if (answer.code !== 201) throw refusal("The API server does not tell what the account may do.", answer);
    return v.parse(AccessReview, JSON.parse(answer.body)).status.allowed;
  }

  /**
   * Returns the objects of a collection and the version of the cluster that the list shows.
   *
   * @param signal ends the request
   */
  async list(
    kind: Kind,
    namespace: string,
    selector: Selector,
    signal?: AbortSignal,
  ): Promise<{ items: unknown[]; resourceVersion: string }> {
    const resource = resourceOf(kind);
    const answer = await this.#ask("GET", selectionPath(resource, namespace, selector), { signal });
    if (answer.code !== 200) {
      const what = `the ${kind} list of namespace ${namespace}`;
      throw refusal(`The API server does not show ${what}.`, answer, resource);
    }
    const { items, metadata } = v.parse(KubernetesList, JSON.parse(answer.body));
    return { items, resourceVersion: metadata?.resourceVersion ?? "" };
  }

  /**
   * Streams the changes of a collection until the API server ends the stream, which it does after a while.
   *
   * @param onLine called with each change as a line of JSON; what it throws ends the stream and is thrown
   * @param signal ends the stream
   */
  async watch(
    kind: Kind,
    namespace: string,
    query: { selector: Selector; resourceVersion: string; timeoutSeconds: number },
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { selector, resourceVersion, timeoutSeconds } = query;
    const resource = resourceOf(kind);
    const path = `${selectionPath(resource, namespace, selector)}&watch=1&resourceVersion=${resourceVersion}&timeoutSeconds=${timeoutSeconds}`;
    for await (const line of this.#stream(resource, namespace, path, signal)) onLine(line);
  }

  /**
   * Applies one object of any kind server-side and returns it as the API server has it then.
   *
   * @throws ActionError when it is refused, the cluster doesn't know its kind, or something else manages fields of it
   */
  async apply(manifest: Manifest, options: ApplyOptions): Promise<KubernetesObject> {
    const { dryRun, force = false, origin } = options;
    const { apiVersion, kind } = manifest;
    const from = fromOf(origin);
    const resource = await this.#discovery.find(apiVersion, kind);
    const { namespace, ...metadata } = manifest.metadata;
    if (!resource) throw await this.#discovery.unknown(`${kind} ${metadata.name}${from}`, apiVersion, kind);
    const scope = resource.namespaced && namespace !== undefined ? { namespace } : {};
    const object = `${titleOf(resource, namespace ?? "", metadata.name)}${from}`;

    // Strict: a field that the API server doesn't know is an error, not dropped without a word.
    const query = `fieldValidation=Strict&force=${force}${dryRun ? "&dryRun=All" : ""}`;
    const path = objectPath(resource, namespace ?? "", metadata.name);
    const body = { ...manifest, metadata: { ...metadata, ...scope } };
    const answer = await this.#patch(path, query, "apply-patch+yaml", body);
    const conflicts = conflictsIn(answer);
    if (conflicts.size > 0) throw conflictError(object, conflicts, { dryRun, isOwn: origin === undefined });
    if (answer.code !== 200 && answer.code !== 201) {
      const what = `The API server refuses ${object}${dryRun ? "; nothing was changed" : ""}.`;
      throw refusal(what, answer, resource);
    }
    return v.parse(KubernetesObject, JSON.parse(answer.body));
  }

  /**
   * Creates an object, and tells whether it did: of two that create the same one, one is told that it is there already.
   *
   * @throws ActionError when it is refused
   */
  async create(manifest: Manifest): Promise<boolean> {
    const { apiVersion, kind, metadata } = manifest;
    const resource = await this.#discovery.find(apiVersion, kind);
    if (!resource) throw await this.#discovery.unknown(`${kind} ${metadata.name}`, apiVersion, kind);
    const { namespace = "", name } = metadata;
    const path = `${collectionPath(resource, namespace)}?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict`;
    const answer = await this.#ask("POST", path, { contentType: "application/json", body: manifest });
    if (answer.code === 201) return true;
    if (statusOf(answer)?.reason === "AlreadyExists") return false;
    throw refusal(`The API server refuses ${titleOf(resource, namespace, name)}.`, answer, resource);
  }

  /**
   * Makes the fields that others manage this action's own, so that the next apply removes those it doesn't want, and
   * returns the object as it is then. Status and whatever else the rest have written stays theirs.
   *
   * @param object as it was read from the cluster; read anew where GKE's controllers have changed it since
   * @param managers whose fields
   * @throws ActionError when it is refused, or the object is gone, or changes all the time
   */
  async takeOver(object: KubernetesObject, managers: readonly string[]): Promise<KubernetesObject> {
    const { apiVersion, kind, metadata } = object;
    const namespace = metadata.namespace ?? "";
    const resource = await this.#discovery.find(apiVersion, kind);
    if (!resource) throw await this.#discovery.unknown(`${kind} ${metadata.name}`, apiVersion, kind);
    const path = objectPath(resource, namespace, metadata.name);
    const patch = (current: KubernetesObject) =>
      this.#patch(path, "", "json-patch+json", adoptionPatch(current, managers));
    let answer = await patch(object);
    for (let attempt = 1; answer.code === 409 && attempt < TAKE_OVER_ATTEMPTS; attempt++) {
      const current = await this.#find(resource, namespace, metadata.name);
      if (current === undefined) break;
      answer = await patch(v.parse(KubernetesObject, current));
    }
    if (answer.code !== 200) {
      const title = titleOf(resource, namespace, metadata.name);
      throw refusal(`The API server does not let ${title} be taken over.`, answer, resource);
    }
    return v.parse(KubernetesObject, JSON.parse(answer.body));
  }

  /**
   * Deletes an object, and tells whether there was one. With finalizers it stays until their controllers are done.
   *
   * @throws ActionError when it is refused, or the object is another one than `uid` says
   */
  async delete(kind: Kind, namespace: string, name: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#delete(resourceOf(kind), namespace, name, options);
  }

  /**
   * Deletes this very object, of any kind, and tells whether it was still there.
   *
   * @param options `dryRun`: it stays
   * @throws ActionError when it is refused, or there is another object of its name now
   */
  async remove(
    { apiVersion, kind, metadata }: KubernetesObject,
    options: Pick<DeleteOptions, "dryRun"> = {},
  ): Promise<boolean> {
    const { namespace = "", name, uid } = metadata;
    const resource = await this.#discovery.find(apiVersion, kind);
    return resource !== undefined && (await this.#delete(resource, namespace, name, { ...options, uid }));
  }

  /** Sets one annotation, or removes it with null, whoever owns it. */
  async annotate(
    kind: Kind,
    namespace: string,
    name: string,
    annotation: string,
    value: string | null,
  ): Promise<void> {
    const resource = resourceOf(kind);
    const path = objectPath(resource, namespace, name);
    const body = { metadata: { annotations: { [annotation]: value } } };
    const answer = await this.#patch(path, "", "merge-patch+json", body);
    if (answer.code !== 200) {
      const title = titleOf(resource, namespace, name);
      throw refusal(`The API server does not let ${title} be annotated.`, answer, resource);
    }
  }

  /** Returns the last lines that a container has written, 64 KiB at the most; `previous`: those of its start before this one. */
  async log(
    namespace: string,
    pod: string,
    container: string,
    options: { lines: number; previous: boolean },
  ): Promise<string> {
    const limits = `tailLines=${options.lines}&limitBytes=${MAX_LOG_BYTES}`;
    const query = `container=${encodeURIComponent(container)}&previous=${options.previous}&${limits}`;
    const answer = await this.#ask("GET", `${objectPath(resourceOf("Pod"), namespace, pod)}/log?${query}`);
    if (answer.code === 200) return answer.body.trimEnd();
    throw refusal(`The log of container ${container} of pod ${namespace}/${pod} can't be read.`, answer);
  }

  /** What its reader throws is no failure of the stream's. */
  async *#stream(
    resource: Resource,
    namespace: string,
    path: string,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, void> {
    const what = `The watch of the ${resource.kind} list of namespace ${namespace} broke.`;
    try {
      const response = await this.#proxy.send("GET", path, { signal });
      if (response.statusCode !== 200) throw refusal(what, await answerOf(response), resource);
      let rest = "";
      for await (const chunk of response.setEncoding("utf8")) {
        const lines = `${rest}${chunk}`.split("\n");
        rest = lines.pop() ?? "";
        yield* lines;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ActionError ? error : unreachable(what, error);
    }
  }

  async #delete(
    resource: Resource,
    namespace: string,
    name: string,
    { uid, dryRun = false }: DeleteOptions,
  ): Promise<boolean> {
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      ...(uid !== undefined && { preconditions: { uid } }),
      ...(dryRun && { dryRun: ["All"] }),
    };
    const path = objectPath(resource, namespace, name);
    const answer = await this.#ask("DELETE", path, { contentType: "application/json", body });
    if (answer.code === 200 || answer.code === 202) return true;
    if (answer.code === 404 && statusOf(answer)) return false;
    const title = titleOf(resource, namespace, name);
    const unchanged = dryRun ? "; nothing was changed" : "";
    throw refusal(`The API server does not delete ${title}${unchanged}.`, answer, resource);
  }

  async #find(resource: Resource, namespace: string, name: string, origin?: string): Promise<unknown> {
    const answer = await this.#ask("GET", objectPath(resource, namespace, name));
    if (answer.code === 200) return JSON.parse(answer.body);
    if (answer.code === 404 && statusOf(answer)) return undefined;
    const title = `${titleOf(resource, namespace, name)}${fromOf(origin)}`;
    throw refusal(`The API server does not show ${title}.`, answer, resource);
  }

  #patch(path: string, query: string, type: PatchType, body: object): Promise<Answer> {
    const url = `${path}?fieldManager=${FIELD_MANAGER}${query && `&${query}`}`;
    return this.#ask("PATCH", url, { contentType: `application/${type}`, body });
  }

  #ask(method: string, path: string, request: RequestOptions = {}): Promise<Answer> {
    return ask(this.#proxy, method, path, request);
  }
}

function fromOf(origin: string | undefined): string {
  return origin === undefined ? "" : ` (${origin})`;
}
