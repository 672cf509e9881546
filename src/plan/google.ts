import type { Settings } from "../inputs/settings.ts";
import type { GoogleState } from "../observe/observed.ts";
import type { ObjectChange } from "./changes.ts";

/** Returns what a run changes at Google, outside the cluster. */
export function googleChanges(
  { host, createStaticIp, staticIpName }: Pick<Settings, "host" | "createStaticIp" | "staticIpName">,
  { reservedAddress, recordChange, formerRecords }: GoogleState,
): ObjectChange[] {
  return [
    ...(createStaticIp && staticIpName && !reservedAddress
      ? [{ kind: "static address", name: staticIpName, action: "create" as const }]
      : []),
    ...(recordChange ? [{ kind: "DNS record", name: host, action: recordChange.action }] : []),
    ...formerRecords.map((name) => ({ kind: "DNS record", name, action: "delete" as const })),
  ];
}
