import { join } from "node:path";
import { type Program, run } from "../src/base/process.ts";
import { OWN_CHART } from "./milvus-chart.ts";

/** Path of the values of a release before the first step of Milvus's guide. */
export const STARTING_VALUES = join(import.meta.dirname, "chart/starting-values.yaml");

/**
 * Saves most of Helm's CPU time. The API server validates every object itself: Helm would only read its
 * OpenAPI documents to find that out.
 */
export const UNVALIDATED = "--disable-openapi-validation";

/**
 * Installs Milvus in the state before the first step of Milvus's guide (chart/starting-values.yaml) and waits
 * until its pods are ready.
 *
 * @param options `helm`: path of the executable; `chart`: path of a Milvus chart, by default our own small
 *   one
 * @throws Error with helm's output
 */
export async function installRelease(options: {
  kubeconfig: string;
  helm: string;
  chart?: string;
  release?: string;
  namespace?: string;
  /** Whether all of Milvus is in one pod. */
  isStandalone?: boolean;
  /** Aborts the installation. */
  signal?: AbortSignal;
}): Promise<void> {
  const { kubeconfig, chart = OWN_CHART } = options;
  const { release = "my-release", namespace = "default", isStandalone = false, signal } = options;
  const helm: Program = { name: "helm", path: options.helm, env: { KUBECONFIG: kubeconfig } };
  const where = ["--namespace", namespace, "--create-namespace"];
  const waiting = ["--wait", "--timeout", "2m"];
  const args = ["install", release, chart, ...where, "--values", STARTING_VALUES, ...waiting, UNVALIDATED];
  if (isStandalone) args.push("--set", "cluster.enabled=false");
  const { exitCode, stderr } = await run(helm, args, { signal });
  signal?.throwIfAborted();
  if (exitCode !== 0) {
    throw new Error(
      `Milvus could not be installed as release ${namespace}/${release} from ${chart}: ${stderr}`,
    );
  }
}
