import { setTimeout as delay } from "node:timers/promises";
import { callAtIntervals } from "../clients/call-at-intervals.ts";
import { type Call, Caller } from "../clients/caller.ts";
import { figuresOf } from "../clients/figures.ts";
import { layer4Ways, layer7Way, WaysByName } from "../clients/ways-in.ts";
import { changeZoneRecords, managedRecords } from "../clients/zone-records.ts";
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

const ZONE = "milvus-io";
// These take minutes at Google and with Milvus.
const ADDRESS_DELAY_MS = 10_000;
const READY_AFTER = "5s";
const HELM_TIMEOUT = "15s";
/** 5 minutes are usual. */
const RECORD_TTL = 5;
/** The calls start this long before the action and end this long after it. */
const MARGIN_MS = 1000;
const DEADLINE_MS = 1000;
const TOKEN = "root:Milvus";

/**
 * Measures what clients see from before the action's start until after its end: one by name and one by address. A client
 * calls Milvus in plaintext and with TLS at the old port and at the new one. Its call fails when Milvus answers nowhere.
 */
export async function switches(lab: Lab): Promise<Figure[]> {
  await control(lab, "PUT", `dns-zones/${ZONE}`, { dnsName: "milvus.io" });
  await setTime(lab, "addressDelayMs", ADDRESS_DELAY_MS);
  const figures: Figure[] = [];
  for (const each of SWITCHES) {
    figures.push(...(await lab.withRelease((namespace) => measureSwitch(lab, namespace, each))));
  }
  await control(lab, "DELETE", `dns-zones/${ZONE}`);
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

async function measureSwitch(
  lab: Lab,
  namespace: string,
  { name: what, inputs, failure, isNoticed }: Switch,
): Promise<Figure[]> {
  const host = `${namespace}.milvus.io`;
  const address = await layer4Address(lab, namespace);
  await changeZoneRecords(lab.gke, ZONE, { additions: managedRecords(host, namespace, address, RECORD_TTL) });
  const ways = layer4Ways(address);
  const client = { host, token: TOKEN, deadlineMs: DEADLINE_MS };
  const resolver = lab.gke.env.GHA_ENDPOINT_OVERRIDE_resolver ?? "";
  const name = new WaysByName(host, resolver);
  const byName = callAtIntervals(new Caller({ ...client, ways: () => name.ways() }));
  const byAddress = callAtIntervals(new Caller({ ...client, ways: async () => ways }));
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
          if (found !== undefined) ways.push(layer7Way(found));
        },
      },
    );
    await delay(MARGIN_MS);
    return [
      ...callFigures(`switch, ${what}, by name`, await byName.stop(), isNoticed),
      ...callFigures(`switch, ${what}, by address`, await byAddress.stop(), isNoticed),
    ];
  } finally {
    await Promise.all([byName.stop(), byAddress.stop()]);
    if (failure === "load balancer")
      await control(lab, "DELETE", "faults/organization-policy", { namespace });
  }
}
