import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { ActionError, messageOf } from "../errors.ts";
import type { Program } from "../process.ts";
import { KubernetesList, KubernetesObject } from "./objects.ts";
import { type KubectlProxy, startProxy } from "./proxy.ts";
import { remedyOf } from "./remedies.ts";

/** The owner of every field that this action applies (server-side apply's field manager). */
export const FIELD_MANAGER = "milvus-gke-load-balancer";

/** The kinds of objects that are read or written here, with where the API server has them. */
const COLLECTIONS = {
  Ingress: "/apis/networking.k8s.io/v1/namespaces/NAMESPACE/ingresses",
  BackendConfig: "/apis/cloud.google.com/v1/namespaces/NAMESPACE/backendconfigs",
  Secret: "/api/v1/namespaces/NAMESPACE/secrets",
  Service: "/api/v1/namespaces/NAMESPACE/services",
  Pod: "/api/v1/namespaces/NAMESPACE/pods",
  Event: "/api/v1/namespaces/NAMESPACE/events",
} as const;
export type Kind = keyof typeof COLLECTIONS;

/** An object to apply. */
export interface Manifest {
  apiVersion: string;
  kind: Kind;
  metadata: { name: string; namespace: string; annotations?: Record<string, string> };
}

/** Which objects of a collection, in the API server's words. */
export type Selector = `${"fieldSelector" | "labelSelector"}=${string}`;

/** How long one request may take, in milliseconds, before the API server counts as unreachable. */
const REQUEST_LIMIT_MS = 30_000;
/** Pauses before a request is sent anew that the API server had no time for (429, 503), in milliseconds. */
const BUSY_PAUSES_MS = [500, 2000, 5000];

const Status = v.looseObject({
  kind: v.literal("Status"),
  message: v.optional(v.string(), ""),
  reason: v.optional(v.string(), ""),
});

const Version = v.looseObject({ gitVersion: v.string() });

const AccessReview = v.looseObject({ status: v.looseObject({ allowed: v.boolean() }) });

interface RequestOptions {
  contentType?: string;
  body?: object;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
}

interface Answer {
  code: number;
  body: string;
}

/** The cluster's API server. Every method throws an ActionError when it can't be reached or refuses. */
export class ApiServer {
  readonly #proxy: KubectlProxy;

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
    throw refusal(`The cluster's API server ${what}.`, "", answer);
  }

  /** Returns an object, undefined when there is none of that name. */
  async get(kind: Kind, namespace: string, name: string): Promise<unknown> {
    return this.#find(`${kind} ${namespace}/${name}`, objectPath(kind, namespace, name));
  }

  /** Tells whether a namespace exists. */
  async hasNamespace(name: string): Promise<boolean> {
    const path = `/api/v1/namespaces/${encodeURIComponent(name)}`;
    return (await this.#find(`Namespace ${name}`, path)) !== undefined;
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
    if (answer.code !== 201)
      throw refusal("The API server does not tell what the account may do.", "", answer);
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
    const what = `the ${kind} list of namespace ${namespace}`;
    const answer = await this.#ask("GET", collectionPath(kind, namespace, selector), { signal });
    if (answer.code !== 200) throw refusal(`The API server does not show ${what}.`, kind, answer);
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
    const path = `${collectionPath(kind, namespace, selector)}&watch=1&resourceVersion=${resourceVersion}&timeoutSeconds=${timeoutSeconds}`;
    for await (const line of this.#stream(kind, namespace, path, signal)) onLine(line);
  }

  /**
   * Applies one object server-side and returns it as the API server has it then.
   *
   * @param dryRun the API server validates and merges, and stores nothing
   * @throws ActionError when it is refused, or has fields that something else manages
   */
  async apply(manifest: Manifest, options: { dryRun: boolean }): Promise<KubernetesObject> {
    const { kind, metadata } = manifest;
    const { name, namespace } = metadata;
    // Strict: a field that the API server doesn't know is an error, not dropped without a word.
    const query = `fieldManager=${FIELD_MANAGER}&fieldValidation=Strict${options.dryRun ? "&dryRun=All" : ""}`;
    const path = `${objectPath(kind, namespace, name)}?${query}`;
    const contentType = "application/apply-patch+yaml";
    const answer = await this.#ask("PATCH", path, { contentType, body: manifest });
    if (answer.code === 409) throw conflict(`${kind} ${namespace}/${name}`, answer, options.dryRun);
    if (answer.code !== 200 && answer.code !== 201) {
      const what = `The API server refuses ${kind} ${namespace}/${name}${options.dryRun ? "; nothing was changed" : ""}.`;
      throw refusal(what, kind, answer);
    }
    return v.parse(KubernetesObject, JSON.parse(answer.body));
  }

  /** Sets one annotation, whoever owns it. */
  async annotate(
    kind: Kind,
    namespace: string,
    name: string,
    annotation: string,
    value: string,
  ): Promise<void> {
    const path = `${objectPath(kind, namespace, name)}?fieldManager=${FIELD_MANAGER}`;
    const patch = { metadata: { annotations: { [annotation]: value } } };
    const contentType = "application/merge-patch+json";
    const answer = await this.#ask("PATCH", path, { contentType, body: patch });
    if (answer.code !== 200) {
      throw refusal(`The API server does not let ${kind} ${namespace}/${name} be annotated.`, kind, answer);
    }
  }

  /** Returns the last lines that a container has written; `previous`: those of its start before this one. */
  async log(
    namespace: string,
    pod: string,
    container: string,
    options: { lines: number; previous: boolean },
  ): Promise<string> {
    const query = `container=${encodeURIComponent(container)}&tailLines=${options.lines}&previous=${options.previous}`;
    const answer = await this.#ask("GET", `${objectPath("Pod", namespace, pod)}/log?${query}`);
    if (answer.code === 200) return answer.body.trimEnd();
    throw refusal(
      `The log of container ${container} of pod ${namespace}/${pod} can't be read.`,
      "Pod",
      answer,
    );
  }

  /** What its reader throws is no failure of the stream's. */
  async *#stream(
    kind: Kind,
    namespace: string,
    path: string,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, void> {
    const what = `The watch of the ${kind} list of namespace ${namespace} broke.`;
    try {
      const response = await this.#proxy.send("GET", path, { signal });
      if (response.statusCode !== 200) throw refusal(what, kind, await answerOf(response));
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

  async #find(what: string, path: string): Promise<unknown> {
    const answer = await this.#ask("GET", path);
    if (answer.code === 200) return JSON.parse(answer.body);
    if (answer.code === 404 && statusOf(answer)) return undefined;
    throw refusal(`The API server does not show ${what}.`, what.split(" ")[0] ?? what, answer);
  }

  async #ask(method: string, path: string, request: RequestOptions = {}): Promise<Answer> {
    const { contentType, body, signal: ended } = request;
    const content = body && contentType !== undefined && { body: JSON.stringify(body), contentType };
    for (const pause of [...BUSY_PAUSES_MS, undefined]) {
      const limit = AbortSignal.timeout(REQUEST_LIMIT_MS);
      const signal = ended ? AbortSignal.any([limit, ended]) : limit;
      try {
        const answer = await answerOf(await this.#proxy.send(method, path, { ...content, signal }));
        const busy = answer.code === 429 || answer.code === 503;
        if (!busy || pause === undefined) return answer;
      } catch (error) {
        ended?.throwIfAborted();
        if (error instanceof ActionError) throw error;
        const why = limit.aborted ? `it did not answer within ${REQUEST_LIMIT_MS / 1000}s` : error;
        throw unreachable("The cluster's API server does not answer.", why);
      }
      await delay(pause, undefined, { ...(ended && { signal: ended }) });
    }
    throw new Error("unreachable: the last pause is undefined");
  }
}

function collectionPath(kind: Kind, namespace: string, selector: Selector): string {
  const [name, expression = ""] = selector.split(/=(.*)/s);
  return `${COLLECTIONS[kind].replace("NAMESPACE", namespace)}?${name}=${encodeURIComponent(expression)}`;
}

function objectPath(kind: Kind, namespace: string, name: string): string {
  return `${COLLECTIONS[kind].replace("NAMESPACE", namespace)}/${encodeURIComponent(name)}`;
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  return { code: response.statusCode ?? 0, body: await text(response) };
}

function statusOf({ body }: Answer): v.InferOutput<typeof Status> | undefined {
  try {
    const parsed = v.safeParse(Status, JSON.parse(body));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** Turns an answer that is none into an error with the API server's own words and what the user can change. */
function refusal(what: string, kind: string, answer: Answer): ActionError {
  const status = statusOf(answer);
  const missing = answer.code === 404 && !status && kind === "BackendConfig";
  const why = missing
    ? "the API server does not know cloud.google.com/v1, the API of BackendConfig."
    : status?.message || answer.body.trim().slice(0, 500) || `HTTP status ${answer.code}`;
  return new ActionError(missing ? "The cluster has no BackendConfig; nothing was changed." : what, {
    why,
    ...remedyOf(`${status?.reason ?? ""} ${why}`),
  });
}

function conflict(object: string, answer: Answer, dryRun: boolean): ActionError {
  const what = dryRun
    ? `${object} has fields that something else manages; nothing was changed.`
    : `Applying ${object} failed: something else manages fields of it.`;
  return new ActionError(what, {
    why: statusOf(answer)?.message ?? answer.body,
    fix: "delete that object if it is no longer needed, or give this action's objects other names (ingress_name, backend_config_name, tls_secret).",
  });
}

function unreachable(what: string, error: unknown): ActionError {
  const why = messageOf(error);
  const remedy = remedyOf(why);
  return new ActionError(what, {
    why,
    ...(remedy.fix ? remedy : remedyOf("connection refused")),
    cause: error,
  });
}
