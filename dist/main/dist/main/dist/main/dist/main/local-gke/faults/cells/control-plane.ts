import type { Server } from "../../control-plane/programs.ts";
import { type Cell, cell, type Moment } from "../cell.ts";

const MOMENTS = ["plan", "rollout", "address"] as const;

/** The control plane itself. */
export const CONTROL_PLANE_CELLS: readonly Cell[] = [
  ...MOMENTS.map((moment) =>
    interruption("API server killed, and started again after 3 s", moment, "kube-apiserver", 3000),
  ),
  ...MOMENTS.map((moment) => interruption("etcd stopped for 5 s", moment, "etcd", 5000)),
];

function interruption(fault: string, moment: Moment, server: Server, milliseconds: number): Cell {
  const ends: Cell["expected"] = moment === "rollout" ? ["success", "rolled-back"] : ["success"];
  return {
    ...cell(fault, moment, ...ends),
    isShared: true,
    strike: ({ control }) => control("PUT", `interruptions/${server}`, milliseconds),
  };
}
