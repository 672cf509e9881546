import { symptomIn } from "../../base/symptom.ts";
import type { Event } from "../../kubernetes/objects.ts";
import { LASTING_ERRORS, PASSING_ERRORS, REFUSED_VALUES } from "./google-errors.ts";
import { INGRESS_TEXTS } from "./ingress-texts.ts";
import type { Diagnosis, KnownText } from "./known-text.ts";
import { NEG_TEXTS } from "./neg-texts.ts";

/**
 * All texts that the action can explain. The first that matches counts. A moment's failure comes first, as it
 * can interrupt any step. Then comes what no step can pass, then the controllers' own words.
 */
export const KNOWN_TEXTS: readonly KnownText[] = [
  ...PASSING_ERRORS,
  ...LASTING_ERRORS,
  ...NEG_TEXTS,
  ...INGRESS_TEXTS,
  ...REFUSED_VALUES,
];

/**
 * Returns the diagnosis of one Warning's text, undefined if waiting may still
 * help: the controllers try again.
 */
export function diagnose(message: string): (Diagnosis & Pick<KnownText, "id">) | undefined {
  const known = symptomIn(message, KNOWN_TEXTS);
  if (known?.verdict !== "lasting") return undefined;
  const { id, cause, remedy, pattern, refine } = known;
  const match = refine && pattern.exec(message);
  return { id, cause, remedy, ...(match && refine(match)) };
}

/** Tells whether a Warning explains a problem, unlike the one that every new load balancer shows. */
export function isTelling(message: string): boolean {
  return symptomIn(message, KNOWN_TEXTS)?.verdict !== "harmless";
}

/** A Warning of Google's controllers, seen since the manifests were applied. */
export interface ControllerWarning {
  message: string;
  /** As performance.now(). */
  firstSeen: number;
  lastSeen: number;
}

/**
 * A cause counts as lasting if it is reported again after this time, in milliseconds. The controller repeats
 * a lasting cause 5, 10, 20, ... ms after the first time, so this takes at most ten seconds. A single report
 * may come from an attempt that began before the cause was fixed.
 */
export const LASTING_MS = 5000;

/**
 * Returns the list of warnings with an event added. Texts that differ only in the name of a Google operation
 * are the same warning (gke-managed-certs, pkg/clients/ssl: `operation operation-... DONE. Status: ...`).
 */
export function recordWarning(
  warnings: readonly ControllerWarning[],
  event: Event,
  now: number,
): ControllerWarning[] {
  const masked = (message: string) => message.replace(/\boperation-\S+/g, "operation");
  const known = warnings.find(({ message }) => masked(message) === masked(event.message));
  const others = warnings.filter((warning) => warning !== known);
  return [...others, { message: event.message, firstSeen: known?.firstSeen ?? now, lastSeen: now }];
}

/** Returns the newest warning with its diagnosis if it lasts and waiting can't fix it. */
export function lastingCause(
  warnings: readonly ControllerWarning[],
): { warning: ControllerWarning; diagnosis: NonNullable<ReturnType<typeof diagnose>> } | undefined {
  const newest = warnings.at(-1);
  const diagnosis = newest && diagnose(newest.message);
  if (!newest || !diagnosis || newest.lastSeen - newest.firstSeen < LASTING_MS) return undefined;
  return { warning: newest, diagnosis };
}
