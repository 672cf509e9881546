import type { Figure } from "./figure.ts";
import { type Lab, setTime, succeed, THROUGH_GOOGLE } from "./lab.ts";

const PAIRS = 7;
const ADDRESS_DELAY_MS = 40;

/**
 * Compares a run that finds nothing to change, and proves that Milvus answers, with the commands by which a
 * person looks: `helm list` and `kubectl get ingress`. The two alternate.
 */
export async function unchanged(lab: Lab): Promise<Figure[]> {
  const { helm, kubectl } = lab;
  await setTime(lab, "addressDelayMs", ADDRESS_DELAY_MS);
  return lab.withRelease(async (namespace) => {
    const inputs = { ...THROUGH_GOOGLE, namespace, milvus_token: "root:Milvus" };
    await lab.act(inputs);
    const byHand: number[] = [];
    const action: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const started = performance.now();
      await succeed(helm, ["list", "--namespace", namespace]);
      await succeed(kubectl, ["get", "ingress", "--namespace", namespace]);
      byHand.push(performance.now() - started);
      action.push((await lab.act(inputs)).milliseconds);
    }
    return [
      { name: "helm list, kubectl get ingress", unit: "ms", values: byHand },
      { name: "the action with nothing to change, to Milvus's answer", unit: "ms", values: action },
      {
        name: "the action against a look by hand (per pair)",
        unit: "x",
        values: action.map((time, pair) => time / (byHand[pair] ?? Number.NaN)),
        target: 2,
      },
    ];
  });
}
