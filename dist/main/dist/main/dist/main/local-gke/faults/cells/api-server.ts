import { setTimeout as delay } from "node:timers/promises";
import { type Cell, cell, endsWithoutApiServer, FAULT_MS, type Moment } from "../cell.ts";
import type { Gate } from "../gate.ts";

/** What a run sees of the API server through a gate of its own. */
export const API_SERVER_CELLS: readonly Cell[] = [
  ...each(["plan", "upgrade", "rollout", "apply", "address", "backends"], (moment) =>
    passing("API server refuses connections for 3 s", moment, (gate) => gate.shut()),
  ),
  ...each(["plan", "upgrade", "rollout", "address", "backends"], (moment) => ({
    ...cell("connections to the API server reset", moment, ...endsWithoutApiServer(moment)),
    strike: async ({ apiServer }) => apiServer.cut(),
  })),
  ...([429, 500] as const).flatMap((status) =>
    each(["plan", "upgrade", "rollout", "apply", "address"], (moment) =>
      passing(`API server answers ${status} for 3 s`, moment, async (gate) => gate.respond(status)),
    ),
  ),
  // As an API server whose etcd is slow.
  ...each(["plan", "rollout", "address"], (moment) =>
    passing("API server takes 1 s for each answer", moment, async (gate) => gate.slow(1000), "stays"),
  ),
  ...each(["plan", "address"], (moment) =>
    passing("API server takes requests and answers none for 3 s", moment, async (gate) => gate.silence()),
  ),
  // kubectl notices it by pings that nobody answers, after 45 s.
  ...each(["rollout", "address"], (moment) => ({
    ...cell("connections to the API server dead, without an end", moment, ...endsWithoutApiServer(moment)),
    through: "wire",
    prepare: async () => ({ inputs: { helm_timeout: "3m", address_timeout: "3m" } }),
    strike: async ({ wire }) => wire.lose(),
  })),
  passing("token refused for 3 s", "address", async (gate) => {
    gate.respond(401);
    gate.cut();
  }),
  {
    ...passing(
      "token expired",
      "address",
      async (gate) => {
        gate.respond(401);
        gate.cut();
      },
      "stays",
    ),
    expected: ["unauthorized"],
    prepare: async () => ({ inputs: { address_timeout: "5m" } }),
  },
];

function each(moments: readonly Moment[], make: (moment: Moment) => Cell): Cell[] {
  return moments.map(make);
}

function passing(
  fault: string,
  moment: Moment,
  begin: (gate: Gate) => Promise<void>,
  lasts: number | "stays" = FAULT_MS,
): Cell {
  return {
    ...cell(fault, moment, ...endsWithoutApiServer(moment)),
    async strike({ apiServer }) {
      await begin(apiServer);
      if (lasts === "stays") return;
      await delay(lasts);
      await apiServer.open();
    },
    mend: ({ apiServer }) => apiServer.open(),
  };
}
