import { setTimeout as delay } from "node:timers/promises";
import { type Lab, RELEASE, setAddressDelay, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { Caller } from "./caller.ts";
import { type CallFigures, figuresOf } from "./figures.ts";

/** What clients see while the action switches a release from its layer-4 to its layer-7 load balancer. */
export interface SwitchFigures extends CallFigures {
  keepLayer4: boolean;
  /** Duration of the action, in seconds. */
  duration: number;
}

/** Names of the endpoints, in the order of their first response. */
export const ENDPOINTS = ["old address", "old address, TLS", "new address"] as const;

// These take minutes at Google and with Milvus.
const ADDRESS_DELAY_MS = 10_000;
const READY_AFTER = "5s";
/** The calls start this long before the action and end this long after it. */
const MARGIN_MS = 1000;
const TOKEN = "root:Milvus";

/** Runs the action on a new release while a client calls Milvus at its old and new addresses. */
export async function measureSwitch(lab: Lab, keepLayer4: boolean): Promise<SwitchFigures> {
  await setAddressDelay(lab, ADDRESS_DELAY_MS);
  return lab.withRelease(async (namespace) => {
    const caller = new Caller(TOKEN);
    const [plain, tls, layer7] = ENDPOINTS;
    const address = `${await layer4Address(lab, namespace)}:19530`;
    caller.add({ name: plain, address, tls: false });
    caller.add({ name: tls, address, tls: true });
    await delay(MARGIN_MS);
    const run = lab.act(
      {
        ...THROUGH_GOOGLE,
        namespace,
        values: `annotations:\n  local-gke/ready-after: ${READY_AFTER}\n`,
        milvus_token: TOKEN,
        keep_layer4: String(keepLayer4),
      },
      {
        onLine({ text }) {
          const [, found] = /^The load balancer's address is (\S+)\.$/.exec(text) ?? [];
          if (found !== undefined) caller.add({ name: layer7, address: `${found}:443`, tls: true });
        },
      },
    );
    try {
      const { started, milliseconds } = await run;
      await delay(MARGIN_MS);
      return { keepLayer4, duration: milliseconds / 1000, ...figuresOf(await caller.stop(), started) };
    } finally {
      await caller.stop();
    }
  });
}

async function layer4Address({ kubectl }: Lab, namespace: string): Promise<string> {
  const where = ["service", `${RELEASE}-milvus`, "--namespace", namespace];
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  return (await succeed(kubectl, ["get", ...where, "--output", path])).stdout;
}
