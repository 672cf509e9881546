import { type Cell, cell, kubectlIn } from "../cell.ts";

/** Milvus's pods. */
export const POD_CELLS: readonly Cell[] = [
  badPods("Milvus crashes at each start", "crash-loop", "crash-loop"),
  badPods("the image isn't there", "image-pull-back-off", "image-pull"),
  ...(["backends", "proof"] as const).map(
    (moment): Cell => ({
      ...cell("Milvus's pods deleted", moment, "success"),
      strike: (bench) => kubectlIn(bench, "delete", "pods", "--all", "--wait=false").then(() => undefined),
    }),
  ),
];

function badPods(fault: string, pod: string, expected: string): Cell {
  const values = `annotations:\n  local-gke/pod: ${pod}\n`;
  return {
    ...cell(fault, "rollout", expected),
    prepare: async () => ({ inputs: { helm_timeout: "30s", values } }),
    strike: async () => {},
  };
}
