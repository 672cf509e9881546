import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import type { Kept, KeptIngress } from "./kept.ts";
import { type IngressSettings, keptIngress } from "./kept-ingress.ts";
import { keptBackendConfig, keptSecret } from "./kept-objects.ts";
import { ALLOW_HTTP, STATIC_ADDRESS } from "./manifests.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/**
 * Returns what stays of the load balancer's objects that somebody else made.
 *
 * @param service the name of Milvus's Service
 * @param objects those of this action's names, and those that the Ingress refers to
 * @param now milliseconds since the epoch
 */
export function keptOf(
  settings: IngressSettings & LoadBalancerSettings,
  service: string,
  objects: readonly KubernetesObject[],
  now: number,
): Kept {
  const named = (kind: string, name: string) => objects.find(isOf({ kind, metadata: { name } }));
  const ingress = named("Ingress", settings.ingressName);
  return {
    ingress: keptIngress(ingress, settings, service, objects, now),
    backendConfig: keptBackendConfig(named("BackendConfig", settings.backendConfigName), settings),
    secret: keptSecret(named("Secret", settings.tlsSecret), settings.host),
  };
}

/** Returns the settings with what stays in place of the inputs that say nothing of it. */
export function withKept<T extends LoadBalancerSettings>(
  settings: T,
  { ingress: { annotations, names, serving }, backendConfig }: Kept,
): T {
  return {
    ...settings,
    ...(serving && certificateOf(serving)),
    staticIpName: settings.staticIpName ?? annotations[STATIC_ADDRESS[settings.loadBalancer]],
    allowHttp: settings.allowHttp || names.includes(ALLOW_HTTP),
    backendConfig: { ...backendConfig.spec, ...settings.backendConfig },
  };
}

function certificateOf(
  serving: NonNullable<KeptIngress["serving"]>,
): Pick<LoadBalancerSettings, "certificate"> & Partial<Pick<LoadBalancerSettings, "tlsSecret">> {
  switch (serving.kind) {
    case "secret":
      return { certificate: { kind: "secret" }, tlsSecret: serving.name };
    case "pre-shared":
      return { certificate: { kind: "pre-shared", names: serving.names } };
    case "managed":
      return { certificate: { kind: "google-managed" } };
  }
}
