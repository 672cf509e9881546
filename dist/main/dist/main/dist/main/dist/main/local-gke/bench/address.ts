import { setTimeout as delay } from "node:timers/promises";
import { NetworkingV1Api, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { kubeConfigFrom } from "../control-plane/client.ts";
import type { Figure } from "./figure.ts";
import { type Lab, RELEASE, setTime, THROUGH_GOOGLE } from "./lab.ts";

const RUNS = 7;
/** Longer than each run. */
const NEVER_MS = 3_600_000;
/** The address is written this long after the action starts to wait. */
const PAUSE_MS = 2000;

/**
 * Measures how soon the action, while it waits, logs the address. This benchmark writes the address instead
 * of the ingress controller, so one clock covers both ends. The result includes the API server's time for the
 * write.
 */
export async function addressLatency(lab: Lab): Promise<Figure[]> {
  const kubeConfig = kubeConfigFrom(lab.gke.kubeconfig);
  const api = kubeConfig.makeApiClient(NetworkingV1Api);
  await setTime(lab, "addressDelayMs", NEVER_MS);
  const values: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    values.push(await lab.withRelease((namespace) => measure(lab, api, namespace, `127.20.255.${run + 1}`)));
  }
  return [{ name: "address written to address in the log", unit: "ms", values, target: 50 }];
}

async function measure(lab: Lab, api: NetworkingV1Api, namespace: string, address: string): Promise<number> {
  let written: Promise<number> | undefined;
  const { log } = await lab.act(
    { ...THROUGH_GOOGLE, namespace, wait_for: "address" },
    {
      onLine({ text }) {
        if (text === "::group::Wait for the address") written = delay(PAUSE_MS).then(write);
      },
    },
  );
  async function write(): Promise<number> {
    const name = `${RELEASE}-milvus`;
    // This opens the connection, which an ingress controller has open already.
    const { metadata, status } = await api.readNamespacedIngress({ namespace, name });
    if (!metadata?.finalizers || status?.loadBalancer?.ingress)
      throw new Error("the Ingress already has an address or has no finalizer");
    const body = { status: { loadBalancer: { ingress: [{ ip: address }] } } };
    const at = performance.now();
    await api.patchNamespacedIngressStatus(
      { namespace, name, body },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
    return at;
  }
  const line = log.find(({ text }) => text.includes(`address is ${address}`));
  if (!line || !written) throw new Error("the action did not wait for the address");
  return line.at - (await written);
}
