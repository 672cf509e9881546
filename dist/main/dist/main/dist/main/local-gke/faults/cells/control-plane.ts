import type { Server } from "../../control-plane/programs.ts";
import { type Cell, cell, endsWithoutApiServer, type Moment } from "../cell.ts";

const MOMENTS = ["plan", "rollout", "address"] as const;

/** The control plane itself. */
export const CONTROL_PLANE_CELLS: readonly Cell[] = [
  ...MOMENTS.map((moment) =>
    interruption("API server killed, and started again after 3 s", moment, "kube-apiserver", 3000),
  ),
  ...MOMENTS.map((moment) => interruption("etcd stopped for 5 s", moment, "etcd", 5000)),
];

function interruption(fault: string, moment: Moment, server: Server, milliseconds: number): Cell {
  return {
    ...cell(fault, moment, ...endsWithoutApiServer(moment)),
    isShared: true,
    // Kubernetes's controllers need a while to find the API server again, and pods wait for them.
    prepare: async () => ({ inputs: { helm_timeout: "3m" } }),
    strike: ({ control }) => control("PUT", `interruptions/${server}`, milliseconds),
  };
}
