import { ActionError } from "../base/errors.ts";
import { mergeValues } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import { requestedValues } from "../inputs/values.ts";
import { changesScheme } from "../loadbalancer/address.ts";
import { isGuarded, isGuardedNow } from "../loadbalancer/client-policy.ts";
import { whyAnonymous } from "../milvus/authorization.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import type { Observed } from "../observe/observed.ts";
import type { ReleasePlan } from "./release.ts";

const OPEN = "Everybody on the Internet can read, change and delete Milvus's data";
const SWITCH_ON =
  'switch authentication on (common.security.authorizationEnabled: true in extraConfigFiles."user.yaml" with the input values, and no environment variable that says otherwise)';
const POLICY =
  "admit known networks only (allowed_ranges, or a Cloud Armor policy of yours: securityPolicy in backend_config)";

/** The inputs that decide who reaches the load balancer. */
export type ExposureSettings = Pick<Settings, "loadBalancer" | "backendConfig" | "allowedRanges">;

/** Returns sentences on clients that could not reach the layer-4 load balancer and can reach the new one. */
export function exposuresOf(
  { loadBalancer, backendConfig, allowedRanges }: ExposureSettings,
  { service }: Pick<Observed, "service">,
  { upgrade, switchOver }: ReleasePlan,
): string[] {
  const layer4 = layer4Of(service);
  if (!layer4 || (!upgrade && !switchOver) || loadBalancer === "internal") return [];
  return [
    ...(layer4.isInternal
      ? [
          "Milvus's layer-4 load balancer is internal to the network; the new one is open to the internet (load_balancer: internal makes an internal one).",
        ]
      : []),
    ...(layer4.ranges && allowedRanges.length === 0 && backendConfig.securityPolicy === undefined
      ? [
          `Milvus's layer-4 load balancer admits ${layer4.ranges.join(", ")} only; the new one admits everybody (allowed_ranges restricts it, or a Cloud Armor policy of yours: securityPolicy in backend_config).`,
        ]
      : []),
  ];
}

/**
 * Returns a sentence on a Milvus that everybody on the Internet can use without authentication and could
 * before; undefined if there is no such danger, or the user consents to it.
 *
 * @throws ActionError when this run would be the one that opens it
 */
export function openDoorOf(settings: Settings, observed: Observed): string | undefined {
  const { allowAnonymous, loadBalancer, release, namespace, backendConfig, allowedRanges } = settings;
  const admitsAll = allowedRanges.length === 0 && !isGuarded(backendConfig);
  if (allowAnonymous || loadBalancer === "internal" || !admitsAll) return undefined;
  const why = whyAnonymous(mergeValues(observed.release.computedValues, requestedValues(settings)));
  if (why === undefined) return undefined;
  if (isPublic(settings, observed)) return `${OPEN} without a password: ${SWITCH_ON}, or ${POLICY}.`;
  throw new ActionError(
    `Release ${namespace}/${release} has no authentication, and this run would make it reachable from the Internet; nothing was changed.`,
    {
      why: `${OPEN} then: ${why}, load_balancer is external, allowed_ranges is not set, and backend_config has neither securityPolicy nor iap.`,
      fix: `${SWITCH_ON}; or ${POLICY}; or set load_balancer: internal; or consent with allow_anonymous: true.`,
    },
  );
}

/** Tells whether everybody on the Internet reaches Milvus now. */
function isPublic(
  { backendConfigName }: Pick<Settings, "backendConfigName">,
  { service, ingress, ingressAddress, objects }: Observed,
): boolean {
  const layer4 = layer4Of(service);
  const isServedByLayer4 = layer4 !== undefined && !layer4.isInternal && layer4.ranges === undefined;
  const isServedByLayer7 = ingressAddress !== undefined && !changesScheme(ingress, "external");
  return isServedByLayer4 || (isServedByLayer7 && !isGuardedNow(objects, backendConfigName));
}
