import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { isApplied, managedFields } from "../kubernetes/managed-fields.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/**
 * What says of a field that it is off: of one that a config no longer has Google's controller leaves alone what there is at
 * Google (kubernetes/ingress-gce, pkg/backends/features; pkg/translator, sslPolicyLink). An empty list of headers it would set
 * anew at each look, and a cookie's TTL that isn't named it would keep.
 */
const BACKEND_CONFIG_OFF = {
  cdn: { enabled: false },
  customRequestHeaders: {},
  customResponseHeaders: {},
  iap: { enabled: false },
  logging: { enable: false },
  securityPolicy: { name: "" },
  sessionAffinity: { affinityType: "NONE", affinityCookieTtlSec: 0 },
};
const FRONTEND_CONFIG_OFF = { sslPolicy: "" };

/** What a run lays over the configs, and what it can't take away with them. */
export interface Removals extends Pick<LoadBalancerSettings, "backendConfig" | "frontendConfig"> {
  /** Whether IAP stays on at Google although nothing asks for it any more. */
  leavesIap: boolean;
}

/**
 * Returns the configs that are wanted, with what applying them takes away from the live ones said to be off. A field that
 * is null is to be left alone, at Google too.
 */
export function withRemovals(
  {
    backendConfig,
    backendConfigName,
    frontendConfig,
    frontendConfigName,
    loadBalancer,
  }: LoadBalancerSettings,
  live: readonly KubernetesObject[],
): Removals {
  const backend = live.find(isOf({ kind: "BackendConfig", metadata: { name: backendConfigName } }));
  const { iap, securityPolicy, ...off } = removed(BACKEND_CONFIG_OFF, backendConfig, backend);
  const liveIap = valueAt(specOf(backend), "iap");
  // The controller can't take an OAuth client away, and fails when it is to (pkg/backends/features/iap.go).
  const hasClient = isMap(liveIap) && liveIap.oauthclientCredentials !== undefined;
  const frontend = live.find(isOf({ kind: "FrontendConfig", metadata: { name: frontendConfigName } }));
  const isOurs = frontend !== undefined && ownerOf(frontend).kind === "ours";
  // Somebody else's is left alone unless it is wanted.
  const isWritten = frontendConfig !== undefined || isOurs;
  const frontendOff = isWritten ? removed(FRONTEND_CONFIG_OFF, frontendConfig ?? {}, frontend) : {};
  const isNeeded = frontendConfig !== undefined || Object.keys(frontendOff).length > 0;
  return {
    backendConfig: {
      ...withoutNulls(backendConfig),
      ...off,
      ...(iap !== undefined && !hasClient && { iap }),
      // An internal load balancer can't have one, and the controller refuses even an empty name for it.
      ...(securityPolicy !== undefined && loadBalancer === "external" && { securityPolicy }),
    },
    frontendConfig: isNeeded ? { ...withoutNulls(frontendConfig ?? {}), ...frontendOff } : undefined,
    leavesIap: iap !== undefined && hasClient && liveIap.enabled === true,
  };
}

/** Returns those of the fields in `off` that the wanted spec lacks, so that applying it takes them away. */
function removed(off: YamlMap, wanted: YamlMap, live: KubernetesObject | undefined): YamlMap {
  const spec = specOf(live);
  return Object.fromEntries(
    Object.entries(off).filter(
      ([field]) =>
        (spec[field] ?? undefined) !== undefined &&
        wanted[field] === undefined &&
        live !== undefined &&
        !isKept(live, field),
    ),
  );
}

/** Tells whether a field of an object's spec stays when this action no longer applies it: others have set it, too. */
function isKept(object: KubernetesObject, field: string): boolean {
  // With what belongs to somebody else their fields are taken over.
  if (ownerOf(object).kind !== "ours") return false;
  const holders = managedFields(object).filter(({ fieldsV1 }) => fieldsV1["f:spec"]?.[`f:${field}`]);
  return holders.some((entry) => !isApplied(entry));
}

function withoutNulls(spec: YamlMap): YamlMap {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null));
}

function specOf(object: KubernetesObject | undefined): YamlMap {
  return isMap(object?.spec) ? object.spec : {};
}
