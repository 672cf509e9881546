import { RELEASE, succeed } from "../bench/lab.ts";
import type { Bench, HelmName } from "./bench.ts";

/** A fault that a run meets at one moment, and how the run has to end. */
export interface Cell {
  fault: string;
  moment: Moment;
  /**
   * How the run may end: `success`, `cancelled`, `killed`, or the id of the one error's row in
   * docs/troubleshooting.md.
   */
  expected: readonly [string, ...string[]];
  /** Both only where Helm plays a part. */
  helms: readonly HelmName[];
  /** How the run reaches the cluster. */
  through: "kubeconfig" | "wire" | "google";
  /** The fault is one of the control plane or of the project at Google: no other run may meet it. */
  isShared?: true;
  /** Shows a fault that lasts: a Warning or a change as {@link Witness} words it. */
  shownBy?: RegExp;
  /** Makes the fault. May return before the fault is over. */
  strike(bench: Bench, cancel: () => void): Promise<void>;
  /** What this run and the next have beside the usual inputs. */
  inputs?(bench: Bench): Record<string, string>;
  /** What only this run has beside the usual inputs and variables of the runner. */
  prepare?(bench: Bench): Promise<{ inputs?: Record<string, string>; runner?: Record<string, string> }>;
  /** Ends the fault after the run. */
  mend?(bench: Bench): Promise<void>;
  /** Why this machine can't have the fault. */
  isImpossible?(): string | undefined;
}

/** A line of the run's log for each moment. */
const MOMENTS = {
  start: /^/,
  tools: /^::group::Tools and cluster/,
  plan: /^::group::Look and plan/,
  check: /^::group::Check before changing anything/,
  upgrade: /^::group::Upgrade the Helm release/,
  /** Once Helm has recorded the revision: {@link untilMoment} waits for that. */
  rollout: /^::group::Upgrade the Helm release/,
  apply: /^::group::Apply the manifests/,
  address: /^::group::Wait for the address/,
  backends: /^::group::Wait for healthy backends/,
  certificate: /^::group::Wait for the certificate$/,
  presented: /^::group::Wait for the certificate to be presented/,
  proof: /^::group::Call Milvus through the load balancer/,
} as const;
export type Moment = keyof typeof MOMENTS;

/** Keeps a run at a moment that would otherwise be over at once. */
export interface Hold {
  inputs?: Record<string, string>;
  /** Lets the run go on. */
  release(): Promise<void>;
}

/** Begins to keep a run at a moment until the fault is made. */
export async function holdAt(moment: Moment, bench: Bench): Promise<Hold | undefined> {
  const { control, namespace, entrance } = bench;
  if (moment === "backends") {
    await control("PUT", "faults/unhealthy-backends", { namespace });
    return { release: () => control("DELETE", "faults/unhealthy-backends", { namespace }) };
  }
  if (moment === "presented" || moment === "proof") {
    return {
      inputs: { verify_address: entrance.address },
      async release() {
        const address = await addressOf(bench);
        // The fault may have been that somebody deleted the Ingress.
        if (address !== "") entrance.lead(`${address}:443`);
      },
    };
  }
  return undefined;
}

/** Returns the load balancer's address; empty if the Ingress has none. */
export function addressOf(bench: Bench): Promise<string> {
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  const ingress = `${RELEASE}-milvus`;
  return kubectlIn(bench, "get", "ingress", ingress, "--output", path, "--ignore-not-found");
}

/** Returns the line of a run's log at which a moment begins. */
export function lineOf(moment: Moment): RegExp {
  return MOMENTS[moment];
}

/** Waits for what a moment needs beside its line. */
export async function untilMoment(moment: Moment, { kubectl, namespace }: Bench): Promise<void> {
  if (moment !== "rollout") return;
  const secret = `secret/sh.helm.release.v1.${RELEASE}.v2`;
  await succeed(kubectl, ["wait", "--for=create", secret, "--timeout=60s", "--namespace", namespace]);
}

const HELM_4 = ["helm4"] as const;
const HELM_3_AND_4 = ["helm3", "helm4"] as const;
/** How long a fault that ends by itself lasts. */
export const FAULT_MS = 3000;

/** Returns the usual parts of a cell: one Helm unless the fault meets Helm itself. */
export function cell(fault: string, moment: Moment, ...expected: Cell["expected"]): Omit<Cell, "strike"> {
  const helms = moment === "upgrade" || moment === "rollout" ? HELM_3_AND_4 : HELM_4;
  return { fault, moment, expected, helms, through: "kubeconfig" };
}

/**
 * Returns how a run that loses the API server for seconds may end. The action asks again; Helm may give up at
 * its first failed request, and the release is then rolled back.
 */
export function endsWithoutApiServer(moment: Moment): Cell["expected"] {
  return moment === "upgrade" || moment === "rollout"
    ? ["success", "api-server-unreachable", "rolled-back"]
    : ["success"];
}

/** The name of a cell, for logs and `--only`. */
export function titleOf({ fault, moment }: Cell): string {
  return `${fault}, ${moment}`;
}

export async function kubectlIn({ kubectl, namespace }: Bench, ...args: string[]): Promise<string> {
  return (await succeed(kubectl, [...args, "--namespace", namespace])).stdout;
}
