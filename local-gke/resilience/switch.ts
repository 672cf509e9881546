import { setTimeout as delay } from "node:timers/promises";
import { type Lab, RELEASE, setAddressDelay, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { Caller } from "./caller.ts";
import { type CallFigures, figuresOf } from "./figures.ts";

/** What clients see while the action moves a release from its layer-4 load balancer to the layer-7 one. */
export interface SwitchFigures extends CallFigures {
  keepLayer4: boolean;
  /** Seconds that the action took. */
  duration: number;
}

/** Names of the fronts, in the order in which they come. */
export const FRONTS = ["old address", "old address, TLS", "new front"] as const;

// What takes minutes at Google and with Milvus takes so long here.
const ADDRESS_DELAY_MS = 10_000;
const READY_AFTER = "5s";
/** Calls begin before the action does and go on after it. */
const MARGIN_MS = 1000;
const TOKEN = "root:Milvus";

/** Runs the action on a release as the page's reader has it, while a client calls Milvus through old and new fronts. */
export async function measureSwitch(lab: Lab, keepLayer4: boolean): Promise<SwitchFigures> {
  await setAddressDelay(lab, ADDRESS_DELAY_MS);
  return lab.withRelease(async (namespace) => {
    const caller = new Caller(TOKEN);
    const [plain, tls, new7] = FRONTS;
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
          if (found !== undefined) caller.add({ name: new7, address: `${found}:443`, tls: true });
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
