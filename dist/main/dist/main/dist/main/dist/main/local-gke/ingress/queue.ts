import { messageOf } from "../../src/base/errors.ts";

// ingress-gce's maximum backoff.
const MAX_BACKOFF_MS = 1_000_000;

/** Requests a retry of work whose failure has been reported in an event. */
export class Retry extends Error {}

/**
 * A work queue as in client-go. It processes a key at most once at a time, and again if the key is added
 * during the work. It retries a failed key with exponential backoff. Adding a key does not reset its backoff.
 */
export class WorkQueue {
  readonly #work: (key: string) => Promise<void>;
  readonly #backoffBaseMs: () => number;
  readonly #working = new Map<string, Promise<void>>();
  readonly #dirty = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  #stopped = false;

  /** @param backoffBaseMs returns the delay after a key's first failure, in milliseconds */
  constructor(work: (key: string) => Promise<void>, backoffBaseMs: () => number) {
    this.#work = work;
    this.#backoffBaseMs = backoffBaseMs;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#working.has(key)) this.#dirty.add(key);
    else this.#working.set(key, this.#run(key));
  }

  /** Rejects new keys and waits for the work in progress. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    await Promise.all(this.#working.values());
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#work(key);
      this.#failures.delete(key);
    } catch (error) {
      if (!(error instanceof Retry) && !this.#stopped) console.error(`${key}: ${messageOf(error)}`);
      this.#retryLater(key);
    }
    this.#working.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  #retryLater(key: string): void {
    if (this.#stopped) return;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const wait = Math.min(this.#backoffBaseMs() * 2 ** failures, MAX_BACKOFF_MS);
    const at = performance.now() + wait;
    const waiting = this.#retries.get(key);
    // A key has only one retry at a time: the earliest.
    if (waiting && waiting.at <= at) return;
    clearTimeout(waiting?.timer);
    const timer = setTimeout(() => {
      this.#retries.delete(key);
      this.add(key);
    }, wait);
    this.#retries.set(key, { at, timer });
  }
}
