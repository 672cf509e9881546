import type { Cell } from "./cell.ts";
import { API_SERVER_CELLS } from "./cells/api-server.ts";
import { CONTROL_PLANE_CELLS } from "./cells/control-plane.ts";
import { GOOGLE_CELLS } from "./cells/google.ts";
import { LOAD_BALANCER_CELLS } from "./cells/load-balancer.ts";
import { OBJECT_CELLS } from "./cells/objects.ts";
import { POD_CELLS } from "./cells/pods.ts";
import { PROGRAM_CELLS } from "./cells/programs.ts";
import { RUNNER_CELLS } from "./cells/runner.ts";

/** Every fault at every moment. */
export const CELLS: readonly Cell[] = [
  ...API_SERVER_CELLS,
  ...CONTROL_PLANE_CELLS,
  ...OBJECT_CELLS,
  ...LOAD_BALANCER_CELLS,
  ...POD_CELLS,
  ...PROGRAM_CELLS,
  ...RUNNER_CELLS,
  ...GOOGLE_CELLS,
];
