import {
  ApiException,
  type CoreV1Api,
  type CoreV1Event,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";

export type EventType = "Normal" | "Warning";

/** The object of an event. */
export interface InvolvedObject {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  resourceVersion?: string;
}

// client-go's rate limit per object and type: a burst, then one event every five minutes.
const BURST = 25;
const REFILL_MS = 300_000;

/** Makes event names unique: objects of different kinds may share a name. */
let sequence = 0;

/** The rate limit for events of one object and type. Events above the limit are dropped, as in client-go. */
export class EventRateLimiter {
  #tokens = BURST;
  #last: number;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: number) {
    this.#last = now;
  }

  /** Returns false if the limit is exceeded. */
  take(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + (now - this.#last) / REFILL_MS);
    this.#last = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

interface RecordedEvent {
  event: CoreV1Event | undefined;
  count: number;
}

/** Records events as client-go does: one object with a count for repeated events, and a rate limit. */
export class EventRecorder {
  readonly #api: CoreV1Api;
  readonly #component: string;
  readonly #recorded = new Map<string, RecordedEvent>();
  readonly #limiters = new Map<string, EventRateLimiter>();
  /** The last request per object, which keeps its events in order. */
  readonly #sending = new Map<string, Promise<void>>();

  /** @param component the event's source, e.g. `loadbalancer-controller` */
  constructor(api: CoreV1Api, component: string) {
    this.#api = api;
    this.#component = component;
  }

  /** Sends an event in the background: the controllers don't wait for it, as in client-go. */
  record(involved: InvolvedObject, type: EventType, reason: string, message: string): void {
    const key = JSON.stringify([involved.uid, type, reason, message]);
    const recorded = this.#recorded.get(key) ?? { event: undefined, count: 0 };
    this.#recorded.set(key, recorded);
    // The count includes dropped events. The next event that is sent shows it.
    recorded.count += 1;
    const now = performance.now();
    const limiterKey = `${involved.uid} ${type}`;
    const limiter = this.#limiters.get(limiterKey) ?? new EventRateLimiter(now);
    this.#limiters.set(limiterKey, limiter);
    if (!limiter.take(now)) return;
    const { count } = recorded;
    const before = this.#sending.get(involved.uid) ?? Promise.resolve();
    const sending = before.then(() => this.#send(involved, type, reason, message, recorded, count));
    this.#sending.set(involved.uid, sending);
  }

  /** Waits until all recorded events are sent. */
  async flush(): Promise<void> {
    await Promise.all(this.#sending.values());
  }

  async #send(
    involved: InvolvedObject,
    type: EventType,
    reason: string,
    message: string,
    recorded: RecordedEvent,
    count: number,
  ): Promise<void> {
    try {
      const { namespace } = involved;
      const name = recorded.event?.metadata.name;
      if (name !== undefined) {
        const body = { count, lastTimestamp: new Date() };
        const options = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
        recorded.event = await this.#api.patchNamespacedEvent({ name, namespace, body }, options);
      } else {
        const body = this.#event(involved, type, reason, message, count);
        recorded.event = await this.#api.createNamespacedEvent({ namespace, body });
      }
    } catch (error) {
      // The event has expired or its namespace is terminating. client-go drops the event, too.
      if (error instanceof ApiException && (error.code === 404 || error.code === 403))
        recorded.event = undefined;
      else console.error(`event for ${involved.namespace}/${involved.name} (${message}) not sent:`, error);
    }
  }

  #event(
    involved: InvolvedObject,
    type: EventType,
    reason: string,
    message: string,
    count: number,
  ): CoreV1Event {
    const now = new Date();
    sequence += 1;
    const suffix = (BigInt(now.getTime()) * 1_000_000n + BigInt(sequence)).toString(16);
    return {
      metadata: { name: `${involved.name}.${suffix}`, namespace: involved.namespace },
      involvedObject: { ...involved },
      type,
      reason,
      message,
      count,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: "",
    };
  }
}
