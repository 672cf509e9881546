import type { Timing } from "./timing.ts";
import { until } from "./timing.ts";

/** The names of the Google resources that the controllers have created. */
export class Compute {
  readonly #timing: Timing;
  readonly #stopped: AbortSignal;
  readonly #resources = new Set<string>();

  constructor(timing: Timing, stopped: AbortSignal) {
    this.#timing = timing;
    this.#stopped = stopped;
  }

  has(name: string): boolean {
    return this.#resources.has(name);
  }

  /** Creates a resource after Google's insert delay. Returns false if it already exists. */
  async insert(name: string): Promise<boolean> {
    if (this.#resources.has(name)) return false;
    const start = performance.now();
    await until(() => start + this.#timing.insertDelayMs, this.#stopped);
    this.#stopped.throwIfAborted();
    this.#resources.add(name);
    return true;
  }

  delete(name: string): void {
    this.#resources.delete(name);
  }
}
