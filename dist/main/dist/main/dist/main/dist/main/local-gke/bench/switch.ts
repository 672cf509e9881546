import { setTimeout as delay } from "node:timers/promises";
import type { Call } from "../clients/caller.ts";
import { type Calls, startClients, ZONE } from "../clients/clients.ts";
import { figuresOf } from "../clients/figures.ts";
import type { Figure } from "./figure.ts";
import { control, type Lab, layer4Address, setTime, THROUGH_GOOGLE } from "./lab.ts";

/** A switch from a layer-4 to a layer-7 load balancer. */
interface Switch {
  name: string;
  inputs?: Record<string, string>;
  /** What makes the run fail. */
  failure?: "load balancer" | "upgrade";
  /** Whether clients may notice it. */
  isNoticed?: boolean;
}

const SWITCHES: readonly Switch[] = [
  { name: "defaults" },
  { name: "the load balancer fails", failure: "load balancer" },
  { name: "the upgrade fails", failure: "upgrade" },
  { name: "keep_layer4: false", inputs: { keep_layer4: "false" }, isNoticed: true },
];

// These take minutes at Google and with Milvus.
const ADDRESS_DELAY_MS = 10_000;
const READY_AFTER = "5s";
const HELM_TIMEOUT = "15s";
/** The calls start this long before the action and end this long after it. */
const MARGIN_MS = 1000;
const TOKEN = "root:Milvus";

/** Measures what clients see from before the action's start until after its end. */
export async function switches(lab: Lab): Promise<Figure[]> {
  await setTime(lab, "addressDelayMs", ADDRESS_DELAY_MS);
  const figures: Figure[] = [];
  for (const each of SWITCHES) {
    const { byName, byAddress } = await lab.withRelease((namespace) => callsDuring(lab, namespace, each));
    figures.push(
      ...callFigures(`switch, ${each.name}, by name`, byName, each.isNoticed),
      ...callFigures(`switch, ${each.name}, by address`, byAddress, each.isNoticed),
    );
  }
  return figures;
}

/** Returns the figures of a client's calls. */
function callFigures(name: string, calls: readonly Call[], isNoticed = false): Figure[] {
  const { failed, longestOutage } = figuresOf(calls);
  return [
    {
      name: `${name}: failed calls (of ${calls.length})`,
      unit: "%",
      values: [(100 * failed) / calls.length],
      ...(!isNoticed && { target: 0.2 }),
    },
    {
      name: `${name}: longest outage`,
      unit: "s",
      values: [longestOutage],
      ...(!isNoticed && { target: 0.1 }),
    },
  ];
}

async function callsDuring(lab: Lab, namespace: string, { inputs, failure }: Switch): Promise<Calls> {
  const host = `${namespace}.milvus.io`;
  const address = await layer4Address(lab, namespace);
  const clients = await startClients(lab.gke, { host, namespace, address, token: TOKEN });
  let calls: Calls | undefined;
  try {
    if (failure === "load balancer") await control(lab, "PUT", "faults/organization-policy", { namespace });
    await delay(MARGIN_MS);
    await lab.act(
      {
        ...THROUGH_GOOGLE,
        namespace,
        host,
        dns_zone: ZONE,
        values: `annotations:\n  local-gke/ready-after: ${failure === "upgrade" ? "1h" : READY_AFTER}\n`,
        ...(failure === "upgrade" && { helm_timeout: HELM_TIMEOUT }),
        milvus_token: TOKEN,
        ...inputs,
      },
      {
        fails: failure !== undefined,
        onLine({ text }) {
          const [, found] = /^The load balancer's address is (\S+)\.$/.exec(text) ?? [];
          if (found !== undefined) clients.learn(found);
        },
      },
    );
    await delay(MARGIN_MS);
  } finally {
    calls = await clients.stop();
    if (failure === "load balancer")
      await control(lab, "DELETE", "faults/organization-policy", { namespace });
  }
  return calls;
}
