import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import { type Kubeconfig, writeContext } from "./kubeconfig.ts";

/** The ServiceAccount of the pod that this runner is in. */
export interface PodIdentity {
  /** URL of the API server. */
  server: string;
  /** The kubelet renews the token in this file. */
  tokenFile: string;
  authorityFile: string;
}

/**
 * Where the kubelet mounts a ServiceAccount (kubernetes.io/docs/tasks/run-application/access-api-from-pod).
 */
const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";
const CONTEXT = "in-cluster";

/** Returns the pod's ServiceAccount, undefined if this runner is in no pod or its pod has none mounted. */
export function podIdentity({
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
}: NodeJS.ProcessEnv): PodIdentity | undefined {
  const [tokenFile, authorityFile] = [join(FOLDER, "token"), join(FOLDER, "ca.crt")];
  if (!host || !port || !existsSync(tokenFile) || !existsSync(authorityFile)) return undefined;
  return { server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`, tokenFile, authorityFile };
}

/** Writes a kubeconfig for the cluster that this runner's pod is in. */
export function inClusterKubeconfig(
  { server, tokenFile, authorityFile }: PodIdentity,
  directory: string,
): Promise<Kubeconfig> {
  return writeContext(directory, CONTEXT, { server, "certificate-authority": authorityFile }, tokenFile);
}

/**
 * Returns the account's name, e.g. `system:serviceaccount:arc:runner`; undefined if its token doesn't say.
 */
export async function accountOf({ tokenFile }: PodIdentity): Promise<string | undefined> {
  const [, claims = ""] = (await readFile(tokenFile, "utf8")).split(".");
  return parseJson(v.looseObject({ sub: v.string() }), Buffer.from(claims, "base64url").toString())?.sub;
}
