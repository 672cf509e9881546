import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig, Watch } from "@kubernetes/client-node";
import * as v from "valibot";

/** Sees what the API server tells everyone who watches, and when. */
export interface Witness {
  /**
   * Returns when something was first shown in a namespace, by performance.now(). It is worded as
   * `Warning Ingress: TEXT`, `deleted Secret NAME`, `changed Secret NAME` or `Ingress NAME of class CLASS`.
   *
   * @param since by performance.now()
   */
  first(namespace: string, pattern: RegExp, since: number): number | undefined;
  close(): void;
}

/** Where Warnings and changes show. An object counts as deleted once its deletion has begun. */
const WATCHED = {
  Event: "/api/v1/events",
  Service: "/api/v1/services",
  Secret: "/api/v1/secrets",
  Ingress: "/apis/networking.k8s.io/v1/ingresses",
  ManagedCertificate: "/apis/networking.gke.io/v1/managedcertificates",
};
const RECONNECT_MS = 200;
const INGRESS_CLASS = "kubernetes.io/ingress.class";

const Shown = v.object({
  metadata: v.object({
    name: v.string(),
    namespace: v.optional(v.string(), ""),
    deletionTimestamp: v.optional(v.string()),
    annotations: v.optional(v.record(v.string(), v.string()), {}),
  }),
  type: v.optional(v.string()),
  message: v.optional(v.string()),
  involvedObject: v.optional(v.object({ kind: v.string() })),
});

/** Begins to watch all namespaces. */
export function openWitness(kubeconfig: string): Witness {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const watch = new Watch(config);
  const notes: { namespace: string; text: string; at: number }[] = [];
  const closed = new AbortController();

  const see = (kind: string, phase: string, item: unknown) => {
    const shown = v.safeParse(Shown, item);
    if (!shown.success) return;
    const text = wordsOf(kind, phase, shown.output);
    const { namespace } = shown.output.metadata;
    if (text !== undefined) notes.push({ namespace, text, at: performance.now() });
  };
  const follow = async (kind: string, path: string) => {
    while (!closed.signal.aborted) {
      const ended = Promise.withResolvers<void>();
      const request = await watch.watch(
        path,
        {},
        (phase, item) => see(kind, phase, item),
        () => ended.resolve(),
      );
      closed.signal.addEventListener("abort", () => request.abort());
      await ended.promise;
      await delay(RECONNECT_MS, undefined, { signal: closed.signal }).catch(() => {});
    }
  };
  for (const [kind, path] of Object.entries(WATCHED)) void follow(kind, path);

  return {
    first: (namespace, pattern, since) =>
      notes.find((note) => note.namespace === namespace && note.at >= since && pattern.test(note.text))?.at,
    close: () => closed.abort(),
  };
}

function wordsOf(
  kind: string,
  phase: string,
  { metadata, type, message, involvedObject }: v.InferOutput<typeof Shown>,
): string | undefined {
  if (kind === "Event") {
    return type === "Warning" && phase !== "DELETED"
      ? `Warning ${involvedObject?.kind}: ${message}`
      : undefined;
  }
  const { name, annotations, deletionTimestamp } = metadata;
  if (phase === "DELETED" || deletionTimestamp !== undefined) return `deleted ${kind} ${name}`;
  if (kind === "Ingress") return `Ingress ${name} of class ${annotations[INGRESS_CLASS]}`;
  return phase === "MODIFIED" ? `changed ${kind} ${name}` : undefined;
}
