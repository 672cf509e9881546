/*
 * Loaded into a Node.js program (`node --import`): lets its time pass CLOCK_FACTOR times as
 * fast from the first SIGUSR2 to the next. What the program waits for and measures is scaled,
 * not the limits of its requests.
 */
import { syncBuiltinESMExports } from "node:module";
import promises from "node:timers/promises";

const fast = Number(process.env.CLOCK_FACTOR);
const { setTimeout: start, clearTimeout: stop } = globalThis;
const realNow = performance.now.bind(performance);

/**
 * The program's time is `shown` at the real time `since`, and passes `factor` times as fast from there on.
 */
let clock = { shown: realNow(), since: realNow(), factor: 1 };
const now = () => clock.shown + (realNow() - clock.since) * clock.factor;

class Timer {
  readonly #fire: () => void;
  readonly #every: number | undefined;
  #due: number;
  #real: NodeJS.Timeout | undefined;
  #isRef = true;

  constructor(fire: () => void, wait: number, every: number | undefined) {
    this.#fire = fire;
    this.#every = every;
    this.#due = now() + wait;
    this.arm();
  }

  arm(): void {
    stop(this.#real);
    this.#real = start(
      () => {
        if (this.#every === undefined) this.close();
        else {
          this.#due += this.#every;
          this.arm();
        }
        this.#fire();
      },
      Math.max(0, this.#due - now()) / clock.factor,
    );
    if (!this.#isRef) this.#real.unref();
    running.add(this);
  }

  close(): void {
    stop(this.#real);
    running.delete(this);
  }

  ref(): this {
    this.#isRef = true;
    this.#real?.ref();
    return this;
  }

  unref(): this {
    this.#isRef = false;
    this.#real?.unref();
    return this;
  }
}

const running = new Set<Timer>();

process.on("SIGUSR2", () => {
  clock = { shown: now(), since: realNow(), factor: clock.factor === 1 ? fast : 1 };
  for (const timer of running) timer.arm();
});

const clear = (timer: unknown) => {
  if (timer instanceof Timer) timer.close();
  else if (timer instanceof Object || typeof timer === "number") stop(Number(timer));
};

Object.assign(performance, { now });
Object.assign(globalThis, {
  setTimeout: (fire: (...args: unknown[]) => void, wait = 0, ...args: unknown[]) =>
    new Timer(() => fire(...args), wait, undefined),
  setInterval: (fire: (...args: unknown[]) => void, wait = 0, ...args: unknown[]) =>
    new Timer(() => fire(...args), wait, wait),
  clearTimeout: clear,
  clearInterval: clear,
});
Object.assign(promises, {
  setTimeout: (
    wait: number,
    value: unknown,
    { signal, ref = true }: { signal?: AbortSignal; ref?: boolean } = {},
  ) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.close();
        reject(signal?.reason);
      };
      const timer = new Timer(
        () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(value);
        },
        wait,
        undefined,
      );
      if (!ref) timer.unref();
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
});
syncBuiltinESMExports();
