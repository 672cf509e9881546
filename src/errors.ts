/**
 * A failure that the reader of a job log can act on. Its message is the whole report: what happened and to
 * which object, why (the line of stderr, event or log that shows it) and what to change.
 */
export class ActionError extends Error {
  override readonly name = "ActionError";
  /** The evidence alone. */
  readonly why: string | undefined;

  /**
   * @param what what happened, naming the object, as a sentence
   * @param details `why`: the evidence, verbatim; `fix`: what to change, naming the input
   */
  constructor(what: string, details: { why?: string; fix?: string; cause?: unknown } = {}) {
    const lines = [what];
    if (details.why) lines.push(`Why: ${details.why.trim()}`);
    if (details.fix) lines.push(`What to do: ${details.fix}`);
    super(lines.join("\n"), { cause: details.cause });
    this.why = details.why?.trim();
  }
}

/** Another run was faster: what this one has planned is to be looked at anew. */
export class OvertakenError extends ActionError {}

/** The job was cancelled: the runner sent `signal` to the action's process. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`The job was cancelled (${signal}).`);
    this.signal = signal;
  }
}

/** Returns the text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
