/**
 * How long the evidence in an error may be. The runner cuts an annotation to 4096 characters, remedy
 * included.
 */
const LONGEST_EVIDENCE = 2500;
/** If evidence is shortened, each line keeps at least this many characters. */
const LONGEST_LINE = 200;

/** What a pull request shows at a line of a file. */
export interface Annotation {
  /** Relative to the workspace. */
  file: string;
  line: number;
  message: string;
}

/**
 * A failure that the reader of a job log can act on. The message says what happened to which object, why (the
 * line of stderr, event or log that shows it) and what to change.
 */
export class ActionError extends Error {
  override readonly name = "ActionError";
  /** The evidence alone. */
  readonly why: string | undefined;
  /** The mistakes behind it, each at its line. */
  readonly annotations: readonly Annotation[];

  /**
   * @param what what happened to which object, as a sentence
   * @param details `why`: the evidence, verbatim unless it is very long; `fix`: what to change, naming the
   *   input
   */
  constructor(
    what: string,
    details: { why?: string; fix?: string; cause?: unknown; annotations?: readonly Annotation[] } = {},
  ) {
    const why = details.why && bounded(details.why.trim());
    const lines = [what];
    if (why) lines.push(`Why: ${why}`);
    if (details.fix) lines.push(`What to do: ${details.fix}`);
    super(lines.join("\n"), { cause: details.cause });
    this.why = why;
    this.annotations = details.annotations ?? [];
  }
}

/** Shortens a long text to its first line and its last ones: logs and wrapped errors end with the cause. */
function bounded(text: string): string {
  if (text.length <= LONGEST_EVIDENCE) return text;
  const all = text.split("\n");
  const width = Math.max(LONGEST_LINE, Math.floor(LONGEST_EVIDENCE / all.length) - 1);
  const [first = "", ...rest] = all.map((line) => withoutMiddle(line, width));
  const kept: string[] = [];
  let room = LONGEST_EVIDENCE - first.length;
  for (const line of rest.toReversed()) {
    room -= line.length + 1;
    if (room < 0) break;
    kept.unshift(line);
  }
  const left = rest.length - kept.length;
  return [first, ...(left > 0 ? [`[${left} lines left out]`] : []), ...kept].join("\n");
}

/** Shortens a line to its beginning and its end. */
export function withoutMiddle(line: string, width: number): string {
  if (line.length <= width) return line;
  const half = Math.floor(width / 2);
  return `${line.slice(0, half)} … ${line.slice(line.length - half)}`;
}

/** Another run was faster. This run's plan is outdated. */
export class OvertakenError extends ActionError {}

/** The job was cancelled: the runner sent `signal` to this process. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`The job was cancelled (${signal}).`);
    this.signal = signal;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
