import {
  ApiException,
  type CoreV1Api,
  type CoreV1Event,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";

export type EventType = "Normal" | "Warning";

/** The object that an event is about. */
export interface Subject {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  resourceVersion?: string;
}

// client-go's limits: a burst, then one event per object and type each five minutes.
const BURST = 25;
const REFILL_MS = 300_000;

/** Tells events of one millisecond apart, whoever records them: objects of different kinds may have one name. */
let sequence = 0;

/** Decides which events of one object and type are sent; the others are lost, as with client-go. */
export class EventRation {
  #tokens = BURST;
  #last: number;

  /** @param now milliseconds on any clock that only goes forward */
  constructor(now: number) {
    this.#last = now;
  }

  /** Takes one event out of the ration; false when it is used up. */
  take(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + (now - this.#last) / REFILL_MS);
    this.#last = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

interface Known {
  event: CoreV1Event | undefined;
  count: number;
}

/** Records events as client-go does: one object for what repeats, with a rising count, and rationed. */
export class EventRecorder {
  readonly #api: CoreV1Api;
  readonly #component: string;
  readonly #known = new Map<string, Known>();
  readonly #rations = new Map<string, EventRation>();
  /** What is being sent of each object: its events keep their order. */
  readonly #sending = new Map<string, Promise<void>>();

  /** @param component the event's source, e.g. `loadbalancer-controller` */
  constructor(api: CoreV1Api, component: string) {
    this.#api = api;
    this.#component = component;
  }

  /** Sends an event behind the caller's back: like client-go, the controllers don't wait for it. */
  record(subject: Subject, type: EventType, reason: string, message: string): void {
    const key = JSON.stringify([subject.uid, type, reason, message]);
    const known = this.#known.get(key) ?? { event: undefined, count: 0 };
    this.#known.set(key, known);
    // What is rationed away is counted all the same: the next one that is sent shows it.
    known.count += 1;
    const now = performance.now();
    const rationKey = `${subject.uid} ${type}`;
    const ration = this.#rations.get(rationKey) ?? new EventRation(now);
    this.#rations.set(rationKey, ration);
    if (!ration.take(now)) return;
    const { count } = known;
    const before = this.#sending.get(subject.uid) ?? Promise.resolve();
    const sending = before.then(() => this.#send(subject, type, reason, message, known, count));
    this.#sending.set(subject.uid, sending);
  }

  /** Resolves when all events recorded so far are sent. */
  async flush(): Promise<void> {
    await Promise.all(this.#sending.values());
  }

  async #send(
    subject: Subject,
    type: EventType,
    reason: string,
    message: string,
    known: Known,
    count: number,
  ): Promise<void> {
    try {
      const { namespace } = subject;
      const name = known.event?.metadata.name;
      if (name !== undefined) {
        const body = { count, lastTimestamp: new Date() };
        const options = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
        known.event = await this.#api.patchNamespacedEvent({ name, namespace, body }, options);
      } else {
        const body = this.#event(subject, type, reason, message, count);
        known.event = await this.#api.createNamespacedEvent({ namespace, body });
      }
    } catch (error) {
      // The event expired, or its namespace is going: client-go, too, lets the event go then.
      if (error instanceof ApiException && (error.code === 404 || error.code === 403))
        known.event = undefined;
      else console.error(`event for ${subject.namespace}/${subject.name} (${message}) not sent:`, error);
    }
  }

  #event(subject: Subject, type: EventType, reason: string, message: string, count: number): CoreV1Event {
    const now = new Date();
    sequence += 1;
    const suffix = (BigInt(now.getTime()) * 1_000_000n + BigInt(sequence)).toString(16);
    return {
      metadata: { name: `${subject.name}.${suffix}`, namespace: subject.namespace },
      involvedObject: { ...subject },
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
