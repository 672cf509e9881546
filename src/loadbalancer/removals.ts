import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { isApplied, managedFields } from "../kubernetes/managed-fields.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/**
 * Values that turn a field's feature off at Google. It isn't enough to remove a field: the controller then
 * leaves the feature as it is (kubernetes/ingress-gce, pkg/backends/features; pkg/translator, sslPolicyLink).
 *
 * - customRequestHeaders is an empty map, because the controller would set an empty list again at every sync.
 * - customResponseHeaders is missing: the controller turns off what isn't there, and would set an
 *   empty map again at every sync.
 * - iap is turned off so that it may be removed: while it is there, the controller compares the hash of an
 *   OAuth client that there isn't, and updates the backend service at every sync.
 * - The cookie's TTL is named, because the controller would keep it otherwise.
 */
const BACKEND_CONFIG_OFF = {
  cdn: { enabled: false },
  customRequestHeaders: {},
  iap: { enabled: false },
  logging: { enable: false },
  securityPolicy: { name: "" },
  sessionAffinity: { affinityType: "NONE", affinityCookieTtlSec: 0 },
};
const FRONTEND_CONFIG_OFF = { sslPolicy: "" };

/** The specs to apply, and what applying them can't turn off. */
export interface Removals extends Pick<LoadBalancerSettings, "backendConfig" | "frontendConfig"> {
  /** Whether IAP stays on at Google although the inputs no longer ask for it. */
  leavesIap: boolean;
  /** Whether `backendConfig` has `iap` only to turn it off: once it is off, the field is to go. */
  turnsIapOff: boolean;
}

/**
 * Returns the wanted specs, with the fields turned off that the live ones have and the wanted ones lack. A
 * field set to null stays as it is at Google.
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
  // The controller fails when it has to remove an OAuth client (pkg/backends/features/iap.go).
  const hasClient = isMap(liveIap) && liveIap.oauthclientCredentials !== undefined;
  const frontend = live.find(isOf({ kind: "FrontendConfig", metadata: { name: frontendConfigName } }));
  const isOurs = frontend !== undefined && ownerOf(frontend).kind === "ours";
  // A FrontendConfig of somebody else stays as it is unless the inputs set one.
  const isWritten = frontendConfig !== undefined || isOurs;
  const frontendOff = isWritten ? removed(FRONTEND_CONFIG_OFF, frontendConfig ?? {}, frontend) : {};
  const isNeeded = frontendConfig !== undefined || Object.keys(frontendOff).length > 0;
  const turnsIapOff = iap !== undefined && !hasClient;
  return {
    backendConfig: {
      ...withoutNulls(backendConfig),
      ...off,
      ...(turnsIapOff && { iap }),
      // The controller refuses it for an internal load balancer, even with an empty name.
      ...(securityPolicy !== undefined && loadBalancer === "external" && { securityPolicy }),
    },
    frontendConfig: isNeeded ? { ...withoutNulls(frontendConfig ?? {}), ...frontendOff } : undefined,
    leavesIap: iap !== undefined && hasClient && liveIap.enabled === true,
    turnsIapOff,
  };
}

/** Returns the fields of `off` that the live object has and the wanted spec lacks. */
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

/** Tells whether somebody else also set a spec field: it then stays when this action stops applying it. */
function isKept(object: KubernetesObject, field: string): boolean {
  // Taking over somebody else's object takes over its fields.
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
