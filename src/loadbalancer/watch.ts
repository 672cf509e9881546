import * as v from "valibot";
import { messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { ApiServer, Selector } from "../kubernetes/api.ts";
import { Event, Ingress, ManagedCertificate, oldestFirst, Secret, Service } from "../kubernetes/objects.ts";
import { type Collection, type Follower, follow } from "../kubernetes/watch.ts";
import { type ControllerWarning, recordWarning } from "./diagnosis/diagnosis.ts";
import type { LoadBalancerNames } from "./manifests.ts";
import { hashIn } from "./presented-certificates.ts";
import { otherClassOf } from "./silence.ts";

/** What a watch knows of one object. */
export type WatchedObject<T> = { state: "unknown" } | { state: "present"; object: T } | { state: "deleted" };

/** The load balancer as the cluster shows it, kept up to date by watches. */
export interface LoadBalancerState {
  ingress: WatchedObject<Ingress>;
  /**
   * Whether the Ingress has been seen with this run's class. Until then the watch may be behind, and show the
   * Ingress from before this run.
   */
  hadClass: boolean;
  service: WatchedObject<Service>;
  /** Stays unknown if the certificate is at Google. */
  tlsSecret: WatchedObject<Secret>;
  /**
   * {@link secretHashOf} of each certificate that the Secret has had. Until the watch has shown
   * this run's, it may be behind.
   */
  secretHashes: Set<string>;
  /** Stays unknown unless the certificate is Google-managed. */
  managedCertificate: WatchedObject<ManagedCertificate>;
  /** Warnings of Google's controllers since the watches began, oldest first. */
  warnings: ControllerWarning[];
  /** The newest Warning from before this run. Its cause may be gone, so it never ends a wait. */
  earlierWarning: string | undefined;
  /**
   * The newest event that names a missing firewall rule of a Shared VPC. Only the network's admins can create
   * it.
   */
  firewallAdvice: string | undefined;
}

/**
 * No program reads this annotation, but changing it makes the ingress controller sync the Ingress at once.
 */
const NUDGE_ANNOTATION = "milvus-gke-load-balancer/synced-at";

/** Watches the Ingress, its Service, its certificate and their events until closed. */
export class LoadBalancerWatch {
  readonly state: LoadBalancerState = {
    ingress: { state: "unknown" },
    hadClass: false,
    service: { state: "unknown" },
    tlsSecret: { state: "unknown" },
    secretHashes: new Set(),
    managedCertificate: { state: "unknown" },
    warnings: [],
    earlierWarning: undefined,
    firewallAdvice: undefined,
  };
  readonly names: LoadBalancerNames;
  readonly #api: ApiServer;
  readonly #ended = new AbortController();
  readonly #listeners = new Set<() => void>();
  #failure: Error | undefined;
  #watches: Promise<void>[] = [];

  private constructor(api: ApiServer, names: LoadBalancerNames) {
    this.#api = api;
    this.names = names;
  }

  /**
   * Starts the watches and returns once they have listed what exists. Later events count as new.
   *
   * @throws ActionError if the API server can't be read, or the account may not watch one of the objects
   */
  static async open(api: ApiServer, names: LoadBalancerNames): Promise<LoadBalancerWatch> {
    const watch = new LoadBalancerWatch(api, names);
    const { namespace } = names;
    const only = (name: string): Selector => `fieldSelector=metadata.name=${name}`;
    const watched: [Collection, Follower][] = [
      [
        { kind: "Ingress", namespace, selector: only(names.ingress) },
        watch.#objectHandler(Ingress, "ingress"),
      ],
      [
        { kind: "Service", namespace, selector: only(names.service) },
        watch.#objectHandler(Service, "service"),
      ],
      [
        { kind: "Event", namespace, selector: "fieldSelector=involvedObject.kind!=Pod" },
        watch.#eventHandler(),
      ],
    ];
    if (names.tlsSecret !== undefined) {
      const selector = only(names.tlsSecret);
      watched.push([{ kind: "Secret", namespace, selector }, watch.#objectHandler(Secret, "tlsSecret")]);
    }
    if (names.managedCertificate !== undefined) {
      const selector = only(names.managedCertificate);
      watched.push([
        { kind: "ManagedCertificate", namespace, selector },
        watch.#objectHandler(ManagedCertificate, "managedCertificate"),
      ]);
    }
    const started = watched.map(([collection, follower]) => watch.#follow(collection, follower));
    watch.#watches = started.map(({ ended }) => ended);
    try {
      await Promise.all(started.map(({ listed }) => listed));
    } catch (error) {
      await watch.close();
      throw error;
    }
    return watch;
  }

  /** Drops the Warnings so far: the next change may fix their cause. */
  forgetWarnings(): void {
    this.state.earlierWarning = this.state.warnings.at(-1)?.message ?? this.state.earlierWarning;
    this.state.warnings = [];
  }

  /** Lets the waits go on after the Ingress was deleted, because this run makes another one. */
  forgetIngress(): void {
    this.state.ingress = { state: "unknown" };
    this.state.hadClass = false;
  }

  /** Stops the watches and returns when all have stopped. */
  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#watches);
  }

  /**
   * Waits until `look` returns something other than undefined. Calls it now and after every change.
   *
   * @param limit milliseconds
   * @param onLimit makes the error for the limit
   * @throws what `look` throws, the reason of `signal`, or the failure of a watch
   */
  async until<T>(
    look: (state: LoadBalancerState) => T | undefined,
    options: { limit: number; onLimit: () => Error; signal: AbortSignal },
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        options.signal.removeEventListener("abort", onAbort);
        end();
      };
      const check = () => {
        try {
          if (this.#failure) throw this.#failure;
          const found = look(this.state);
          if (found !== undefined) settle(() => resolve(found));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      const onAbort = () => settle(() => reject(options.signal.reason));
      const timer = setTimeout(() => settle(() => reject(options.onLimit())), options.limit);
      this.#listeners.add(check);
      options.signal.addEventListener("abort", onAbort);
      if (options.signal.aborted) onAbort();
      else check();
    });
  }

  /** Lets all waits look again: something that no watch shows may have settled them. */
  lookAgain(): void {
    this.#changed();
  }

  /** Makes the ingress controller sync the Ingress now. Its next sync may be ten minutes away. */
  async nudge(): Promise<void> {
    const { namespace, ingress } = this.names;
    await this.#api.annotate("Ingress", namespace, ingress, NUDGE_ANNOTATION, new Date().toISOString());
  }

  /** `listed` settles after the first list, `ended` when the watch has stopped for good. */
  #follow(collection: Collection, follower: Follower): { listed: Promise<void>; ended: Promise<void> } {
    const listed = Promise.withResolvers<void>();
    const onList = (items: unknown[]) => {
      follower.onList(items);
      listed.resolve();
    };
    const ended = follow(this.#api, collection, { ...follower, onList }, this.#ended.signal, (trouble) =>
      info(`${trouble.message}\nTrying again.`),
    ).catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
      this.#changed();
      listed.reject(error);
    });
    return { listed: listed.promise, ended };
  }

  #objectHandler<S extends typeof Ingress | typeof Service | typeof Secret | typeof ManagedCertificate>(
    schema: S,
    key: "ingress" | "service" | "tlsSecret" | "managedCertificate",
  ): Follower {
    const set = (watched: WatchedObject<v.InferOutput<S>>) => {
      Object.assign(this.state, { [key]: watched });
      const { ingress, tlsSecret } = this.state;
      this.state.hadClass ||=
        ingress.state === "present" && otherClassOf(ingress.object, this.names.ingressClass) === undefined;
      const hash = tlsSecret.state === "present" ? hashIn(tlsSecret.object) : undefined;
      if (hash !== undefined) this.state.secretHashes.add(hash);
      this.#changed();
    };
    return {
      onList: (items) => {
        const [item] = items;
        if (item !== undefined) set({ state: "present", object: v.parse(schema, item) });
        else if (this.state[key].state === "present") set({ state: "deleted" });
      },
      onChange: (type, item) => {
        if (type === "DELETED") set({ state: "deleted" });
        else set({ state: "present", object: v.parse(schema, item) });
      },
    };
  }

  #eventHandler(): Follower {
    const isRelevantWarning = ({ involvedObject: { kind, name }, type }: Event) =>
      type === "Warning" &&
      ((kind === "Ingress" && name === this.names.ingress) ||
        (kind === "Service" && name === this.names.service) ||
        (kind === "ManagedCertificate" && name === this.names.managedCertificate));
    // A Normal event, although health checks fail without the rule (kubernetes/ingress-gce,
    // pkg/firewalls/controller.go).
    const isFirewallAdvice = ({ involvedObject: { kind, name }, reason }: Event) =>
      reason === "XPN" && kind === "Ingress" && name === this.names.ingress;
    const takeAdvice = ({ message }: Event) => {
      this.state.firewallAdvice = message;
      this.#changed();
    };
    /** resourceVersion of each event when last seen, by event name. */
    const versions = new Map<string, string | undefined>();
    const isNew = ({ metadata: { name, resourceVersion } }: Event) => {
      const seen = versions.get(name);
      versions.set(name, resourceVersion);
      return seen === undefined || seen !== resourceVersion;
    };
    const record = (event: Event) => {
      this.state.warnings = recordWarning(this.state.warnings, event, performance.now());
      this.#changed();
    };
    let listed = false;
    return {
      onList: (items) => {
        const events = oldestFirst(items.map((item) => v.parse(Event, item)));
        const warnings = events.filter(isRelevantWarning);
        const advice = events.findLast(isFirewallAdvice);
        if (advice) takeAdvice(advice);
        const news = warnings.filter(isNew);
        // Only the first list holds events from before. A later one holds what a broken watch missed.
        if (listed) for (const event of news) record(event);
        else this.state.earlierWarning = warnings.at(-1)?.message;
        listed = true;
      },
      onChange: (type, item) => {
        const event = v.parse(Event, item);
        if (type === "DELETED") return;
        if (isFirewallAdvice(event)) takeAdvice(event);
        if (isRelevantWarning(event) && isNew(event)) record(event);
      },
    };
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
