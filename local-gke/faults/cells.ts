import type { Fault } from "../cloud.ts";

/** What a run meets on the way. */
export type Trouble =
  /** Google refuses something, whichever namespace asks. */
  | { kind: "google"; fault: Fault }
  /** Somebody runs kubectl, with these arguments and the namespace. */
  | { kind: "kubectl"; args: readonly string[] }
  /** The values of the run are bad. */
  | { kind: "values"; values: string }
  /** The job is cancelled, or its processes are killed. */
  | { kind: "cancel" }
  | { kind: "kill" };

/** A fault at a moment, and how the run has to end. */
export interface Cell {
  /** Also the namespace. */
  name: string;
  fault: string;
  trouble: Trouble;
  /** The line of the run's log at which it happens; undefined: before the run. */
  moment?: RegExp;
  /** The id of the error's row in docs/troubleshooting.md, or how the run ends otherwise. */
  expected: string;
  inputs?: Record<string, string>;
}

const AT_ADDRESS = /^::group::Wait for the address/;
const AT_UPGRADE = /^::group::Upgrade the Helm release/;
const RELEASE = "my-release-milvus";

/** Faults that meet one namespace only: their runs are side by side. The address takes an hour meanwhile. */
export const OWN_CELLS: readonly Cell[] = [
  {
    name: "ingress-deleted",
    fault: "somebody deletes the Ingress",
    trouble: { kind: "kubectl", args: ["delete", "ingress", RELEASE, "--wait=false"] },
    moment: AT_ADDRESS,
    expected: "deleted-meanwhile",
  },
  {
    name: "secret-deleted",
    fault: "somebody deletes the TLS Secret",
    trouble: { kind: "kubectl", args: ["delete", "secret", `${RELEASE}-tls`] },
    moment: AT_ADDRESS,
    expected: "deleted-meanwhile",
  },
  {
    name: "other-class",
    fault: "something changes the Ingress's class",
    trouble: {
      kind: "kubectl",
      args: ["annotate", "ingress", RELEASE, "kubernetes.io/ingress.class=nginx", "--overwrite"],
    },
    moment: AT_ADDRESS,
    expected: "other-ingress-class",
    inputs: { address_timeout: "15s" },
  },
  {
    name: "slow-google",
    fault: "the address takes longer than address_timeout",
    trouble: { kind: "values", values: "" },
    expected: "no-address-yet",
    inputs: { address_timeout: "15s" },
  },
  {
    name: "crash-loop",
    fault: "Milvus crashes at each start",
    trouble: { kind: "values", values: "annotations:\n  local-gke/pod: crash-loop\n" },
    expected: "crash-loop",
    inputs: { helm_timeout: "30s" },
  },
  {
    name: "no-image",
    fault: "the image isn't there",
    trouble: { kind: "values", values: "annotations:\n  local-gke/pod: image-pull-back-off\n" },
    expected: "image-pull",
    inputs: { helm_timeout: "30s" },
  },
  {
    name: "cancelled",
    fault: "the job is cancelled",
    trouble: { kind: "cancel" },
    moment: AT_ADDRESS,
    expected: "cancelled",
  },
  {
    name: "killed-upgrade",
    fault: "the runner dies",
    trouble: { kind: "kill" },
    moment: AT_UPGRADE,
    expected: "killed",
  },
  {
    name: "killed-address",
    fault: "the runner dies",
    trouble: { kind: "kill" },
    moment: AT_ADDRESS,
    expected: "killed",
  },
];

/** Faults of the whole project at Google: one after the other. */
export const GOOGLE_CELLS: readonly Cell[] = (
  [
    ["ssl-certificate-quota", "quota", {}],
    ["backend-service-quota", "quota", {}],
    ["organization-policy", "organisation-policy", {}],
    ["unhealthy-backends", "unhealthy-backends", { backends_timeout: "15s" }],
    ["identity-aware-proxy", "log-in", {}],
    ["refuse-clusters-get", "no-cluster", {}],
    ["disabled-container-api", "google-api", {}],
    ["unavailable-container-api", "success", {}],
    ["unreachable-cluster", "cluster-unreachable", {}],
  ] as const satisfies readonly (readonly [Fault, string, Record<string, string>])[]
).map(([fault, expected, inputs]) => ({
  name: fault,
  fault: `Google: ${fault}`,
  trouble: { kind: "google", fault },
  expected,
  inputs,
}));
