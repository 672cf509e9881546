import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../../cloud.ts";
import { type Cell, cell, FAULT_MS } from "../cell.ts";
import type { Gate } from "../gate.ts";

/** Google's APIs: first through a gate of the run's own, then faults of the whole project. */
export const GOOGLE_CELLS: readonly Cell[] = [
  throughGate("Google's APIs answer 503 for 3 s", "success", async (gate) => gate.respond(503)),
  throughGate("Google's APIs refuse connections for 3 s", "success", (gate) => gate.shut()),
  throughGate("Google's APIs take 2 s for each answer", "success", async (gate) => gate.slow(2000), "stays"),
  throughGate("Google's APIs never answer", "token-service", async (gate) => gate.silence(), "stays"),
  ofProject("refuse-clusters-get", "the credentials may not see the cluster", "no-cluster"),
  ofProject("disabled-container-api", "the Kubernetes Engine API is off", "google-api"),
  ofProject("unavailable-container-api", "the Kubernetes Engine API answers 503 once", "success"),
  ofProject("unreachable-cluster", "the cluster's endpoints don't answer", "cluster-unreachable"),
  {
    ...ofProject("static-address-quota", "quota of static addresses used up", "google-api"),
    inputs: ({ namespace }) => ({ static_ip_name: namespace, create_static_ip: "true" }),
  },
];

function throughGate(
  fault: string,
  expected: string,
  begin: (gate: Gate) => Promise<void>,
  lasts: number | "stays" = FAULT_MS,
): Cell {
  return {
    ...cell(fault, "start", expected),
    through: "google",
    async strike({ google }) {
      await begin(google);
      if (lasts === "stays") return;
      await delay(lasts);
      await google.open();
    },
    mend: ({ google }) => google.open(),
  };
}

function ofProject(fault: Fault, title: string, expected: string): Cell {
  return {
    ...cell(title, "start", expected),
    through: "google",
    isShared: true,
    strike: ({ control }) => control("PUT", `faults/${fault}`),
    mend: ({ control }) => control("DELETE", `faults/${fault}`),
  };
}
