import type { Settings } from "../inputs/settings.ts";
import type { GoogleState } from "../observe/observed.ts";
import type { ObjectChange } from "./changes.ts";
import { policyActionOf } from "./client-policy.ts";

/** Returns what a run changes at Google, outside the cluster. */
export function googleChanges(
  settings: Pick<Settings, "host" | "createStaticIp" | "staticIpName" | "allowedRanges" | "waitFor">,
  google: GoogleState,
): ObjectChange[] {
  const { host, createStaticIp, staticIpName } = settings;
  const { reservedAddress, recordChange, formerRecords, clientPolicy } = google;
  const policyAction = policyActionOf(settings, google);
  return [
    ...(createStaticIp && staticIpName && !reservedAddress
      ? [{ kind: "static address", name: staticIpName, action: "create" as const }]
      : []),
    ...(clientPolicy && policyAction && policyAction !== "keep"
      ? [{ kind: "Cloud Armor policy", name: clientPolicy.name, action: policyAction }]
      : []),
    ...(recordChange ? [{ kind: "DNS record", name: host, action: recordChange.action }] : []),
    ...formerRecords.map((name) => ({ kind: "DNS record", name, action: "delete" as const })),
  ];
}
