import { printable, shortened } from "./text.ts";

/**
 * How long the evidence in an error may be. The runner cuts an annotation to 4096 characters, remedy
 * included.
 */
const LONGEST_EVIDENCE = 2500;
/** How long the other parts may be. They can quote names and messages from elsewhere, and list mistakes. */
const LONGEST_PART = 12_000;

/** What a pull request shows at a line of a file. */
export interface Annotation {
  /** Relative to the workspace. */
  file: string;
  line: number;
  message: string;
}

/** What an error says besides what happened. */
export interface ErrorDetails {
  /** The evidence, verbatim unless it is very long. */
  why?: string;
  /** What to change, naming the input. */
  fix?: string;
  /** The id of its row in docs/troubleshooting.md, where the evidence tells which one it is. */
  symptom?: string | undefined;
  cause?: unknown;
  annotations?: readonly Annotation[];
}

/**
 * A failure that the reader of a job log can act on. The message says what happened to which object, why (the
 * line of stderr, event or log that shows it) and what to change.
 */
export class ActionError extends Error {
  override readonly name = "ActionError";
  /** The evidence alone. */
  readonly why: string | undefined;
  /** The id of its row in docs/troubleshooting.md, if the site that threw it knows it. */
  readonly symptom: string | undefined;
  /** The mistakes behind it, each at its line. */
  readonly annotations: readonly Annotation[];

  /**
   * @param what what happened to which object, as a sentence
   */
  constructor(what: string, details: ErrorDetails = {}) {
    const why = details.why && printable(shortened(details.why.trim(), LONGEST_EVIDENCE));
    const part = (text: string) => printable(shortened(text, LONGEST_PART));
    const lines = [part(what)];
    if (why) lines.push(`Why: ${why}`);
    if (details.fix) lines.push(`What to do: ${part(details.fix)}`);
    super(lines.join("\n"), { cause: details.cause });
    this.why = why;
    this.symptom = details.symptom;
    this.annotations = details.annotations ?? [];
  }
}

/**
 * Something came between this run's plan and its work. What the run has changed is sound: it may plan again.
 */
export class RestartError extends ActionError {}

/** Another run was faster. This run's plan is outdated. */
export class OvertakenError extends RestartError {}

/** The job was cancelled: the runner sent `signal` to this process. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`The job was cancelled (${signal}).`);
    this.signal = signal;
  }
}

/** Returns an error's message. Anything else that was thrown is returned as a text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
