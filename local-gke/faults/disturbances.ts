import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../src/base/process.ts";
import { RELEASE, succeed } from "../bench/lab.ts";
import { killProgramOf } from "../control-plane/processes.ts";
import type { Gate } from "./gate.ts";
import type { Bench, HelmName } from "./lab.ts";

/** A fault of a connection, a program or the runner that a run meets at one moment. */
export interface Disturbance {
  fault: string;
  moment: Moment;
  expected: Expectation;
  /** How the run reaches the cluster. */
  through: "kubeconfig" | "google";
  /** Both Helms unless Helm plays no part. */
  helms: readonly HelmName[];
  /** Makes the fault. May return before the fault is over. */
  strike(bench: Bench, cancel: () => void): Promise<void>;
  /** What the disturbed run has beside the usual inputs and variables of the runner. */
  prepare?(bench: Bench): Promise<{ inputs?: Record<string, string>; runner?: Record<string, string> }>;
  /** Ends the fault after the disturbed run. */
  mend?(bench: Bench): Promise<void>;
  /** Why this machine can't have the fault. */
  isImpossible?: () => string | undefined;
}

/** How a run may end: well, with the one error that is right, or in either way. */
export interface Expectation {
  success?: true;
  error?: RegExp;
  /** For the table. */
  title: string;
}

const MOMENTS = {
  start: /^/,
  plan: /^::group::Look and plan/,
  upgrade: /^::group::Upgrade the Helm release/,
  /** Once Helm has recorded the revision: `untilMoment` waits for that. */
  rollout: /^::group::Upgrade the Helm release/,
  address: /^::group::Wait for the address/,
  backends: /^::group::Wait for healthy backends/,
} as const;
export type Moment = keyof typeof MOMENTS;

/** Waits for what a moment needs beside its line. */
export async function untilMoment(moment: Moment, { kubectl, namespace }: Bench): Promise<void> {
  if (moment !== "rollout") return;
  const secret = `secret/sh.helm.release.v1.${RELEASE}.v2`;
  await kubectlRun(kubectl, namespace, "wait", "--for=create", secret, "--timeout=60s");
}

/** The line of a run's log at which a moment begins. */
export function lineOf(moment: Moment): RegExp {
  return MOMENTS[moment];
}

const HELM_4 = ["helm4"] as const;
const HELM_3_AND_4 = ["helm3", "helm4"] as const;
/** How long a disturbance lasts. */
const FAULT_MS = 3000;

const SUCCESS: Expectation = { success: true, title: "success" };
// Helm may give up at its first failed request. The release is then rolled back.
const SUCCESS_OR_ROLLED_BACK: Expectation = {
  success: true,
  error: /was rolled back to revision/,
  title: "success, or the release is rolled back",
};

/** @param title what the error says, for the table */
function refusal(title: string, error: RegExp): Expectation {
  return { error, title: `error: ${title}` };
}

export const DISTURBANCES: readonly Disturbance[] = [
  ...(["plan", "upgrade", "rollout", "address", "backends"] as const).map((moment) =>
    atApiServer("API server killed, back after 3 s", moment, (gate) => gate.shut()),
  ),
  ...(["upgrade", "rollout", "address", "backends"] as const).map((moment) =>
    atApiServer("connections to the API server reset", moment, async (gate) => gate.cut(), 0),
  ),
  ...(["plan", "upgrade", "rollout", "address"] as const).flatMap((moment) =>
    ([429, 500] as const).map((status) =>
      atApiServer(`API server answers ${status} for 3 s`, moment, async (gate) => gate.respond(status)),
    ),
  ),
  {
    ...atApiServer(
      "token expired",
      "address",
      async (gate) => {
        gate.respond(401);
        gate.cut();
      },
      "stays",
    ),
    prepare: async () => ({ inputs: { address_timeout: "5m" } }),
    helms: HELM_4,
    expected: refusal("the cluster refuses the credentials", /the cluster refuses the credentials/),
  },
  {
    ...usual(
      "Service deleted by somebody else",
      "address",
      refusal("names it", /^Service \S+ was deleted while this action waited/),
      HELM_4,
    ),
    strike: ({ kubectl, namespace }) =>
      kubectlRun(kubectl, namespace, "delete", "service", `${RELEASE}-milvus`, "--wait=false"),
  },
  {
    ...usual(
      "BackendConfig deleted by somebody else",
      "address",
      refusal("names it", /the BackendConfig that the Service names doesn't exist/),
      HELM_4,
    ),
    strike: ({ kubectl, namespace }) =>
      kubectlRun(kubectl, namespace, "delete", "backendconfig", `${RELEASE}-backendconfig`),
  },
  {
    ...usual("Ingress changed by somebody else", "address", SUCCESS, HELM_4),
    strike: ({ kubectl, namespace }) =>
      kubectlRun(kubectl, namespace, "annotate", "ingress", `${RELEASE}-milvus`, "example.com/by=somebody"),
  },
  {
    ...usual("Milvus's pods deleted", "backends", SUCCESS, HELM_4),
    strike: ({ kubectl, namespace }) =>
      kubectlRun(kubectl, namespace, "delete", "pods", "--all", "--wait=false"),
  },
  ...(["plan", "upgrade", "rollout", "address", "backends"] as const).map(
    (moment): Disturbance => ({
      ...usual(
        "SIGTERM",
        moment,
        refusal("cancelled, in which step", /^The job was cancelled \(SIGTERM\)\. It was in step: /),
      ),
      strike: async (_, cancel) => cancel(),
    }),
  ),
  {
    ...usual("Helm killed", "rollout", refusal("rolled back", /was rolled back to revision/)),
    strike: async ({ directory }) => killProgramOf(directory, "helm"),
  },
  {
    ...usual(
      "kubectl killed",
      "address",
      refusal(
        "kubectl proxy has ended",
        /kubectl proxy, which connects this action to the cluster, has ended/,
      ),
      HELM_4,
    ),
    strike: async ({ directory }) => killProgramOf(directory, "kubectl"),
  },
  {
    ...usual("two runs at once", "plan", SUCCESS),
    strike: async (bench) => {
      const { exitCode, errors, log } = await bench.act();
      if (exitCode !== 0) throw new Error(`the other run failed: ${errors.join("; ")}\n${log.join("\n")}`);
    },
  },
  {
    ...usual(
      "GITHUB_OUTPUT's disk full",
      "start",
      refusal("the outputs can't be set", /^The outputs can't be set: .*ENOSPC/),
      HELM_4,
    ),
    prepare: async () => ({ runner: { GITHUB_OUTPUT: "/dev/full" } }),
    strike: async () => {},
  },
  {
    ...usual(
      "GITHUB_OUTPUT missing",
      "start",
      refusal("the outputs can't be set", /^The outputs can't be set: .*missing/i),
      HELM_4,
    ),
    prepare: async ({ directory }) => ({ runner: { GITHUB_OUTPUT: join(directory, "missing") } }),
    strike: async () => {},
  },
  {
    ...usual("GITHUB_STEP_SUMMARY's disk full", "start", SUCCESS, HELM_4),
    prepare: async () => ({ runner: { GITHUB_STEP_SUMMARY: "/dev/full" } }),
    strike: async () => {},
  },
  {
    ...usual(
      "GITHUB_STATE's disk full",
      "start",
      refusal(
        "the runner's state can't be written",
        /^The runner's file for state can't be written; .*ENOSPC/s,
      ),
      HELM_4,
    ),
    prepare: async () => ({ runner: { GITHUB_STATE: "/dev/full" } }),
    strike: async () => {},
  },
  {
    ...usual(
      "disk full under RUNNER_TEMP",
      "start",
      refusal("the disk is full", /^The runner's disk is full\./),
      HELM_4,
    ),
    isImpossible: () => (process.getuid?.() === 0 ? undefined : "only root may mount a small disk"),
    async prepare({ directory }) {
      const disk = diskOf(directory);
      await mkdir(disk);
      const small = ["-t", "tmpfs", "-o", "size=4k", "tmpfs", disk];
      await succeed({ name: "mount", path: "/bin/mount" }, small);
      // A first page takes all there is.
      await run({ name: "dd", path: "/bin/dd" }, ["if=/dev/zero", `of=${join(disk, "full")}`, "bs=4k"]);
      return { runner: { RUNNER_TEMP: disk } };
    },
    strike: async () => {},
    async mend({ directory }) {
      await succeed({ name: "umount", path: "/bin/umount" }, [diskOf(directory)]);
    },
  },
  {
    ...usual(
      "no kubectl on PATH, and its mirror refuses",
      "start",
      refusal("kubectl can't be downloaded", /kubectl/),
      HELM_4,
    ),
    prepare: async ({ tools }) => ({
      runner: { PATH: dirname(tools.helm) },
      inputs: { kubectl_mirror: "http://127.0.0.1:1" },
    }),
    strike: async () => {},
  },
  atGoogle("Google's APIs answer 503 for 3 s", SUCCESS, async (gate) => gate.respond(503)),
  atGoogle("Google's APIs refuse connections for 3 s", SUCCESS, (gate) => gate.shut()),
  atGoogle("Google's APIs take 2 s for each answer", SUCCESS, async (gate) => gate.slow(2000), "stays"),
  atGoogle(
    "Google's APIs never answer",
    refusal("Google does not answer", /no answer/i),
    async (gate) => gate.silence(),
    "stays",
  ),
];

function usual(
  fault: string,
  moment: Moment,
  expected: Expectation,
  helms: readonly HelmName[] = HELM_3_AND_4,
): Omit<Disturbance, "strike"> {
  return { fault, moment, expected, through: "kubeconfig", helms };
}

function atApiServer(
  fault: string,
  moment: Moment,
  strike: (gate: Gate) => Promise<void>,
  lasts: number | "stays" = FAULT_MS,
): Disturbance {
  const isHelms = moment === "upgrade" || moment === "rollout";
  const expected = isHelms ? SUCCESS_OR_ROLLED_BACK : SUCCESS;
  return {
    ...usual(fault, moment, expected, isHelms ? HELM_3_AND_4 : HELM_4),
    async strike({ apiServer }) {
      await strike(apiServer);
      if (lasts === "stays") return;
      await delay(lasts);
      await apiServer.open();
    },
    mend: ({ apiServer }) => apiServer.open(),
  };
}

function atGoogle(
  fault: string,
  expected: Expectation,
  strike: (gate: Gate) => Promise<void>,
  lasts: number | "stays" = FAULT_MS,
): Disturbance {
  return {
    ...usual(fault, "start", expected, HELM_4),
    through: "google",
    async strike({ google }) {
      await strike(google);
      if (lasts === "stays") return;
      await delay(lasts);
      await google.open();
    },
    mend: ({ google }) => google.open(),
  };
}

async function kubectlRun(kubectl: Bench["kubectl"], namespace: string, ...args: string[]): Promise<void> {
  await succeed(kubectl, [...args, "--namespace", namespace]);
}

/** Where a small disk is mounted. */
function diskOf(directory: string): string {
  return join(directory, "disk");
}
