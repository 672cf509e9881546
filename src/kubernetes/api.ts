import * as v from "valibot";
import { allOf } from "../base/async.ts";
import type { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { Program } from "../base/process.ts";
import { AccessRule } from "./access-rules.ts";
import { Discovery } from "./discovery.ts";
import { FIELD_MANAGER } from "./managed-fields.ts";
import { KubernetesList, KubernetesObject, ListedObject } from "./objects.ts";
import { type KubectlProxy, startProxy } from "./proxy.ts";
import { type ApiRequest, type PatchType, sendRequest, streamLines } from "./requests.ts";
import {
  collectionPath,
  groupedName,
  type Kind,
  objectPath,
  type Resource,
  resourceOf,
  type Selector,
  selectionPath,
  titleOf,
} from "./resources.ts";
import {
  type ApiResponse,
  apiError,
  conflictError,
  conflictsIn,
  isFromProxy,
  statusOf,
} from "./responses.ts";
import type { Right } from "./rights.ts";

export type { Kind, Selector } from "./resources.ts";

/** What an object should be. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    /** Ignored if the kind isn't namespaced. */
    namespace?: string | undefined;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
}

export interface ApplyOptions {
  /** The API server validates and merges but stores nothing. */
  dryRun: boolean;
  /** Takes fields from other managers. Without it, the API server refuses to change them. */
  force?: boolean;
  /** Where the manifest comes from, for errors, e.g. `k8s/policy.yaml, line 12`. */
  origin?: string | undefined;
}

interface DeleteOptions {
  /** Deletes only the object with this UID, not a later one of the same name. */
  uid?: string | undefined;
  /** The API server checks the request but deletes nothing. */
  dryRun?: boolean;
}

/** One operation of a JSON patch (RFC 6902). */
export interface JsonPatch {
  op: "replace" | "remove";
  path: string;
  value?: unknown;
}

/** How often the log says that the API server is away. Many requests may wait for it side by side. */
const AWAY_LOG_MS = 10_000;
/** A log line may have any length. */
const MAX_LOG_BYTES = 64 * 1024;
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

const Version = v.looseObject({ gitVersion: v.string() });

const AccessReview = v.looseObject({ status: v.looseObject({ allowed: v.boolean() }) });

const RulesReview = v.looseObject({ status: v.looseObject({ resourceRules: v.array(AccessRule) }) });

/**
 * The cluster's API server. Every method throws an ActionError when the server can't be reached or refuses.
 */
export class ApiServer {
  readonly #proxy: KubectlProxy;
  readonly #patience = { hasAnswered: false, onAway: logAtMostEvery(AWAY_LOG_MS) };
  readonly #discovery = new Discovery((path) => this.#send("GET", path));

  private constructor(proxy: KubectlProxy) {
    this.#proxy = proxy;
  }

  /**
   * Opens a connection to the API server of kubectl's context. The first request shows whether it can be
   * reached.
   *
   * @param directory a folder that only this job's user can enter
   * @param signal ends kubectl, also before it is ready
   * @throws ActionError when the kubeconfig can't be used
   */
  static async open(kubectl: Program, directory: string, signal?: AbortSignal): Promise<ApiServer> {
    return new ApiServer(await startProxy(kubectl, directory, signal));
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }

  /** The error of every request after kubectl proxy has ended; undefined before. */
  get end(): ActionError | undefined {
    return this.#proxy.end;
  }

  /**
   * Returns the API server's version, e.g. `v1.35.4-gke.1000000`; undefined if this account may not see it.
   * This is the cheapest way to check that the API server can be reached and accepts the account.
   */
  async version(): Promise<string | undefined> {
    const response = await this.#send("GET", "/version");
    if (response.code === 200) return v.parse(Version, JSON.parse(response.body)).gitVersion;
    if (response.code === 403) return undefined;
    const what = response.code === 401 ? "rejects this job's credentials" : "does not answer";
    throw apiError(`The cluster's API server ${what}.`, response);
  }

  /** Returns an object, undefined if it doesn't exist. */
  async get(kind: Kind, namespace: string, name: string): Promise<unknown> {
    return this.#find(resourceOf(kind), namespace, name);
  }

  /**
   * Returns the object of a manifest, undefined if the object or its kind doesn't exist.
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

  /** Returns how the API server names a kind; undefined if the cluster doesn't know it. */
  resource({ apiVersion, kind }: Pick<Manifest, "apiVersion" | "kind">): Promise<Resource | undefined> {
    return this.#discovery.find(apiVersion, kind);
  }

  /** Tells whether a namespace exists. One that the account may not see counts as one. */
  async hasNamespace(name: string): Promise<boolean> {
    const response = await this.#send("GET", objectPath(resourceOf("Namespace"), "", name));
    if (response.code === 200 || response.code === 403) return true;
    if (response.code === 404 && statusOf(response)) return false;
    throw apiError(`The API server does not show Namespace ${name}.`, response);
  }

  /**
   * Returns the UID of namespace kube-system, which identifies a cluster; undefined if this account may not
   * see it.
   */
  async clusterUid(): Promise<string | undefined> {
    const response = await this.#send("GET", objectPath(resourceOf("Namespace"), "", "kube-system"));
    if (response.code === 403) return undefined;
    if (response.code !== 200)
      throw apiError("The API server does not show Namespace kube-system.", response);
    return v.parse(ListedObject, JSON.parse(response.body)).metadata.uid;
  }

  /** Tells whether the account has a right. */
  async allows({ namespace, resource, verb }: Right): Promise<boolean> {
    const [plural, ...group] = resource.split(".");
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace, group: group.join("."), resource: plural, verb } },
    };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const response = await this.#send("POST", path, { contentType: "application/json", body: review });
    if (response.code !== 201)
      throw apiError("The API server does not say what the account may do.", response);
    return v.parse(AccessReview, JSON.parse(response.body)).status.allowed;
  }

  /**
   * Returns rules of what the account may do in a namespace; none if the API server names none. It doesn't
   * name all: where Google's IAM grants rights, as in GKE, the answer has only those that RBAC grants.
   */
  async rulesIn(namespace: string): Promise<AccessRule[]> {
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace },
    };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    const response = await this.#send("POST", path, { contentType: "application/json", body: review });
    return response.code === 201 ? v.parse(RulesReview, JSON.parse(response.body)).status.resourceRules : [];
  }

  /** Tells whether the account may apply a manifest. False if the cluster doesn't know its kind. */
  async mayApply({ apiVersion, kind, metadata }: Manifest): Promise<boolean> {
    const resource = await this.#discovery.find(apiVersion, kind);
    if (!resource) return false;
    const on = {
      namespace: resource.namespaced ? (metadata.namespace ?? "") : "",
      resource: groupedName(resource),
    };
    // Server-side apply is a PATCH that may create (kubernetes/apiserver, endpoints/handlers/patch.go).
    const allowed = await allOf((["create", "patch"] as const).map((verb) => this.allows({ ...on, verb })));
    return allowed.every(Boolean);
  }

  /** Returns the metadata of a collection's objects: what is in them may be a thousand times as much. */
  async listMetadata(kind: Kind, namespace: string, selector: Selector): Promise<ListedObject["metadata"][]> {
    const { items } = await this.list(kind, namespace, selector, { accept: METADATA_ONLY });
    return items.map((item) => v.parse(ListedObject, item).metadata);
  }

  /**
   * Returns the selected objects, and the version from which a watch can go on.
   *
   * @param options `signal` ends the request
   */
  async list(
    kind: Kind,
    namespace: string,
    selector: Selector,
    options: Pick<ApiRequest, "accept" | "signal"> = {},
  ): Promise<{ items: unknown[]; resourceVersion: string }> {
    const resource = resourceOf(kind);
    const response = await this.#send("GET", selectionPath(resource, namespace, selector), options);
    if (response.code !== 200) {
      const what = `the ${kind} list of namespace ${namespace}`;
      throw apiError(`The API server does not show ${what}.`, response, resource);
    }
    const { items, metadata } = v.parse(KubernetesList, JSON.parse(response.body));
    return { items, resourceVersion: metadata?.resourceVersion ?? "" };
  }

  /**
   * Streams changes of the selected objects. The API server ends the stream after a while.
   *
   * @param onLine called with each change as a line of JSON; an error that it throws ends the stream
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
    // Bookmarks say how far a watch is in which nothing changes.
    const limits = `resourceVersion=${resourceVersion}&timeoutSeconds=${timeoutSeconds}&allowWatchBookmarks=true`;
    const path = `${selectionPath(resource, namespace, selector)}&watch=1&${limits}`;
    const what = `The watch of the ${kind} list of namespace ${namespace} broke.`;
    for await (const line of streamLines(this.#proxy, path, { what, resource, signal })) onLine(line);
  }

  /**
   * Applies one object of any kind server-side and returns the result.
   *
   * @throws ActionError when the API server refuses it, doesn't know its kind, or another manager has its
   *   fields
   */
  async apply(manifest: Manifest, options: ApplyOptions): Promise<KubernetesObject> {
    const { dryRun, force = false, origin } = options;
    const { apiVersion, kind } = manifest;
    const from = fromOf(origin);
    const { namespace, ...metadata } = manifest.metadata;
    const resource = await this.#known(apiVersion, kind, `${kind} ${metadata.name}${from}`);
    const scope = resource.namespaced && namespace !== undefined ? { namespace } : {};
    const object = `${titleOf(resource, namespace ?? "", metadata.name)}${from}`;

    // Strict: an unknown field is an error instead of being dropped.
    const query = `fieldValidation=Strict&force=${force}${dryRun ? "&dryRun=All" : ""}`;
    const path = objectPath(resource, namespace ?? "", metadata.name);
    const body = { ...manifest, metadata: { ...metadata, ...scope } };
    const response = await this.#patch(path, query, "apply-patch+yaml", body);
    const conflicts = conflictsIn(response);
    if (conflicts.size > 0) throw conflictError(object, conflicts, { dryRun, isOwn: origin === undefined });
    if (response.code !== 200 && response.code !== 201) {
      const what = `The API server refuses ${object}${dryRun ? "; nothing was changed" : ""}.`;
      throw apiError(what, response, resource);
    }
    return v.parse(KubernetesObject, JSON.parse(response.body));
  }

  /**
   * Creates an object. Returns false if it already exists, e.g. because another run has just created it.
   *
   * @throws ActionError when the API server refuses it
   */
  async create(manifest: Manifest): Promise<boolean> {
    const { apiVersion, kind, metadata } = manifest;
    const { namespace = "", name } = metadata;
    const resource = await this.#known(apiVersion, kind, `${kind} ${name}`);
    const path = `${collectionPath(resource, namespace)}?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict`;
    const response = await this.#send("POST", path, { contentType: "application/json", body: manifest });
    if (response.code === 201) return true;
    if (statusOf(response)?.reason === "AlreadyExists") return false;
    throw apiError(`The API server refuses ${titleOf(resource, namespace, name)}.`, response, resource);
  }

  /**
   * Changes an object by a JSON patch and returns the result; undefined if the patch says that it is for
   * another version of the object.
   *
   * @throws ActionError when the API server refuses it
   */
  async patch(
    { apiVersion, kind, metadata }: KubernetesObject,
    patch: readonly JsonPatch[],
  ): Promise<KubernetesObject | undefined> {
    const { namespace = "", name } = metadata;
    const resource = await this.#known(apiVersion, kind, `${kind} ${name}`);
    const response = await this.#patch(objectPath(resource, namespace, name), "", "json-patch+json", patch);
    if (response.code === 409) return undefined;
    if (response.code === 200) return v.parse(KubernetesObject, JSON.parse(response.body));
    throw apiError(
      `The API server does not change ${titleOf(resource, namespace, name)}.`,
      response,
      resource,
    );
  }

  /**
   * Deletes an object and tells whether there was one. An object with finalizers stays until their
   * controllers are done.
   *
   * @throws ActionError when the API server refuses it, or the object has another UID than `uid`
   */
  async delete(kind: Kind, namespace: string, name: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#delete(resourceOf(kind), namespace, name, options);
  }

  /**
   * Deletes exactly this object, of any kind, and tells whether it was still there.
   *
   * @throws ActionError when the API server refuses it, or another object has the name now
   */
  async remove(
    { apiVersion, kind, metadata }: KubernetesObject,
    options: Pick<DeleteOptions, "dryRun"> = {},
  ): Promise<boolean> {
    const { namespace = "", name, uid } = metadata;
    const resource = await this.#discovery.find(apiVersion, kind);
    return resource !== undefined && (await this.#delete(resource, namespace, name, { ...options, uid }));
  }

  /** Sets one annotation, or removes it with null, whoever manages it. */
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
    const response = await this.#patch(path, "", "merge-patch+json", body);
    if (response.code !== 200) {
      const title = titleOf(resource, namespace, name);
      throw apiError(`The API server does not annotate ${title}.`, response, resource);
    }
  }

  /**
   * Returns the last lines of a container's log, at most 64 KiB.
   *
   * @param options `previous`: of the container before its last restart
   */
  async log(
    namespace: string,
    pod: string,
    container: string,
    options: { lines: number; previous: boolean },
  ): Promise<string> {
    const limits = `tailLines=${options.lines}&limitBytes=${MAX_LOG_BYTES}`;
    const query = `container=${encodeURIComponent(container)}&previous=${options.previous}&${limits}`;
    const response = await this.#send("GET", `${objectPath(resourceOf("Pod"), namespace, pod)}/log?${query}`);
    if (response.code === 200) return response.body.trimEnd();
    throw apiError(`The log of container ${container} of pod ${namespace}/${pod} can't be read.`, response);
  }

  async #known(apiVersion: string, kind: string, object: string): Promise<Resource> {
    const resource = await this.#discovery.find(apiVersion, kind);
    if (!resource) throw await this.#discovery.unknown(object, apiVersion, kind);
    return resource;
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
    const response = await this.#send("DELETE", path, { contentType: "application/json", body });
    if (response.code === 200 || response.code === 202) return true;
    if (response.code === 404 && statusOf(response)) return false;
    const title = titleOf(resource, namespace, name);
    const unchanged = dryRun ? "; nothing was changed" : "";
    throw apiError(`The API server does not delete ${title}${unchanged}.`, response, resource);
  }

  async #find(resource: Resource, namespace: string, name: string, origin?: string): Promise<unknown> {
    const response = await this.#send("GET", objectPath(resource, namespace, name));
    if (response.code === 200) return JSON.parse(response.body);
    if (response.code === 404 && statusOf(response)) return undefined;
    const title = `${titleOf(resource, namespace, name)}${fromOf(origin)}`;
    throw apiError(`The API server does not show ${title}.`, response, resource);
  }

  #patch(path: string, query: string, type: PatchType, body: object): Promise<ApiResponse> {
    const url = `${path}?fieldManager=${FIELD_MANAGER}${query && `&${query}`}`;
    return this.#send("PATCH", url, { contentType: `application/${type}`, body });
  }

  async #send(method: string, path: string, request: ApiRequest = {}): Promise<ApiResponse> {
    const response = await sendRequest(this.#proxy, method, path, request, this.#patience);
    this.#patience.hasAnswered ||= !isFromProxy(response);
    return response;
  }
}

function fromOf(origin: string | undefined): string {
  return origin === undefined ? "" : ` (${origin})`;
}

function logAtMostEvery(milliseconds: number): (why: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (why) => {
    if (Date.now() - last < milliseconds) return;
    last = Date.now();
    info(`The cluster's API server does not answer (${why}). Trying again.`);
  };
}
