import type { BackendHealth } from "../loadbalancer/health.ts";
import type { Authentication } from "../milvus/authentication.ts";
import type { ObjectChange } from "../plan/changes.ts";
import type { FieldChange } from "../plan/shown-fields.ts";
import type { Hop } from "./hop.ts";

/** What a run changes, or in mode plan would change. */
export interface PlanReport {
  /** Why the release is upgraded; empty for no upgrade. */
  upgrade: string[];
  /** Why the release is upgraded again later. */
  later: string[];
  /** When that is; undefined: once Milvus answers through the load balancer. */
  laterOnce?: string;
  /** The Helm values that change. `***` stands for a value of the user's own, which may be secret. */
  values: PlannedValue[];
  objects: PlannedObject[];
  /** What changes in the release's objects; no value is a secret. */
  fields: FieldChange[];
  /** Edits by hand that the upgrade sets back; no value is a secret. */
  edits: FieldChange[];
  /** Workloads whose pods are replaced. */
  restarts: string[];
  /** What the changes mean for Milvus's clients. */
  consequences: string[];
  /** Values that only earlier revisions of the release have, with the newest such revision. */
  lost: { path: string; revision: number }[];
}

/** A Helm value that changes. */
export interface PlannedValue {
  path: string;
  before?: unknown;
  after?: unknown;
  /** It changes in the later upgrade. */
  later?: true;
}

/** An object that a run makes, changes, deletes or keeps. */
export interface PlannedObject extends ObjectChange {
  /** Helm makes or deletes it, with the release. */
  ofRelease?: true;
}

/** What a run has found out so far. It is reported even when the run fails. */
export interface RunReport {
  host?: string;
  ingress?: string;
  address?: string;
  certificateStatus?: "Active" | "Provisioning";
  certificateExpires?: string | undefined;
  caCertificate?: string;
  caCertificateFile?: string;
  releaseRevision?: number | undefined;
  chartVersion?: string;
  milvusVersion?: string;
  backends?: BackendHealth;
  /** Whether DNS leads the host to the load balancer. */
  isInDns?: boolean;
  /** The project with the load balancer; undefined while it isn't known. */
  projectId?: string | undefined;
  /** Whether Milvus answers calls without a token. */
  authentication?: Authentication | undefined;
  /** The warning that everybody on the Internet can use Milvus without authentication. */
  openDoor?: string | undefined;
  /** The values that later upgrades must carry, as YAML without secrets. */
  valuesOverlay?: string;
  valuesOverlayFile?: string;
  /** How many changes were begun, without those that proved to have changed nothing. */
  changes: number;
  plan?: PlanReport;
  /** What became of the plan's changes, by {@link objectChangeKey}, UPGRADE or LATER_UPGRADE. */
  outcomes?: Record<string, Outcome>;
  /** The steps that were begun. */
  steps: StepRecord[];
  /** Where the error that ended the run is explained: a URL, or a path in the action's own folder. */
  explanation?: string;
}

/** What became of a change that the run has begun. */
export type Outcome = "done" | "failed" | "taken back";

/** A step that was begun. */
export interface StepRecord {
  name: string;
  /** When, in milliseconds since 1970. */
  begun: number;
  /** Milliseconds. */
  duration: number;
  /** The part of the traffic's way that the step makes or checks. */
  hop?: Hop | undefined;
  hasFailed?: true;
}

/** The Helm upgrade of a run. */
export const UPGRADE = "upgrade";
/** When the later upgrade of a deployment comes. */
export const PROVEN = "Milvus answers through the load balancer";
/** The upgrade that comes later: of a deployment, once Milvus is proven; of a teardown, at its end. */
export const LATER_UPGRADE = "later upgrade";

/** Returns the key of an object's change in {@link RunReport.outcomes}. */
export function objectChangeKey({ kind, name }: Pick<ObjectChange, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** Returns the key of a planned object's change: one of the release belongs to the Helm upgrade. */
export function changeKeyOf(object: PlannedObject): string {
  return object.ofRelease ? UPGRADE : objectChangeKey(object);
}

/** Runs the work for one change of the plan and records what became of it. */
export async function recording<T>(report: RunReport, change: string, work: () => Promise<T>): Promise<T> {
  recordOutcome(report, change, "failed");
  const result = await work();
  recordOutcome(report, change, "done");
  return result;
}

/** Records what became of a change; undefined: it was not reached after all. */
export function recordOutcome(report: RunReport, change: string, outcome: Outcome | undefined): void {
  const { [change]: _, ...others } = report.outcomes ?? {};
  report.outcomes = outcome === undefined ? others : { ...others, [change]: outcome };
}

/**
 * Runs work that changes something. The change counts beforehand, because work that fails or is cancelled may
 * have changed something too.
 *
 * @param work calls `nothingChanged` when it has proof that it changed nothing
 */
export async function changing<T>(
  report: RunReport,
  work: (nothingChanged: () => void) => Promise<T>,
): Promise<T> {
  report.changes += 1;
  return await work(() => {
    report.changes -= 1;
  });
}

/**
 * Runs work that changes all that it is meant to change, or nothing, as one request does: after a failure
 * nothing has changed.
 *
 * @param hasChanged tells from the outcome whether anything changed
 */
export async function changingAtomically<T>(
  report: RunReport,
  work: () => Promise<T>,
  hasChanged: (outcome: T) => boolean,
): Promise<T> {
  return await changing(report, async (nothingChanged) => {
    try {
      const outcome = await work();
      if (!hasChanged(outcome)) nothingChanged();
      return outcome;
    } catch (error) {
      nothingChanged();
      throw error;
    }
  });
}
