import type { FrontSettings } from "../front-inputs.ts";
import { valueAt } from "../helm/values.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import { isMap, type YamlMap } from "../yaml.ts";

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
export interface Removals extends Pick<FrontSettings, "backendConfig" | "frontendConfig"> {
  /** Whether IAP stays on at Google although nothing asks for it any more. */
  leavesIap: boolean;
}

/**
 * Returns the configs that are wanted, with what the live ones have and they haven't said to be off. A field that is null
 * is to be left alone, at Google too.
 */
export function withRemovals(
  { backendConfig, backendConfigName, frontendConfig, frontendConfigName, loadBalancer }: FrontSettings,
  live: readonly KubernetesObject[],
): Removals {
  const backend = specOf(live.find(isOf({ kind: "BackendConfig", metadata: { name: backendConfigName } })));
  const { iap, securityPolicy, ...off } = removed(BACKEND_CONFIG_OFF, backendConfig, backend);
  // The controller can't take an OAuth client away, and fails when it is to (pkg/backends/features/iap.go).
  const hasClient = valueAt(backend, "iap", "oauthclientCredentials") !== undefined;
  const frontend = live.find(isOf({ kind: "FrontendConfig", metadata: { name: frontendConfigName } }));
  const isOurs = frontend !== undefined && ownerOf(frontend).kind === "ours";
  const frontendOff = isOurs ? removed(FRONTEND_CONFIG_OFF, frontendConfig ?? {}, specOf(frontend)) : {};
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
    leavesIap: iap !== undefined && hasClient && valueAt(backend, "iap", "enabled") === true,
  };
}

/** Returns those of the fields in `off` that the live spec has and the wanted one hasn't. */
function removed(off: YamlMap, wanted: YamlMap, live: YamlMap): YamlMap {
  return Object.fromEntries(
    Object.entries(off).filter(
      ([field]) => (live[field] ?? undefined) !== undefined && wanted[field] === undefined,
    ),
  );
}

function withoutNulls(spec: YamlMap): YamlMap {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null));
}

function specOf(object: KubernetesObject | undefined): YamlMap {
  return isMap(object?.spec) ? object.spec : {};
}
