import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import type { JsonHandler } from "../control-plane/json-server.ts";
import { ManagedZone, normalized } from "./managed-zone.ts";
import { RECORD_TYPES } from "./record-types.ts";
import { qualified } from "./records.ts";

const Zone = v.strictObject({
  dnsName: v.string(),
  visibility: v.optional(v.picklist(["public", "private"]), "public"),
  delegated: v.optional(v.boolean(), true),
});

const Records = v.strictObject({
  type: v.picklist(RECORD_TYPES),
  values: v.pipe(v.array(v.string()), v.minLength(1)),
  ttl: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 300),
});

const OfType = v.optional(v.strictObject({ type: v.picklist(RECORD_TYPES) }));

/** Control API handlers for Cloud DNS zones and for public DNS records at other providers. */
export function dnsControls(cloud: Cloud): Record<string, JsonHandler> {
  return {
    "PUT /dns-zones": ({ name, body }) => {
      if (cloud.managedZones.has(name)) throw new Error(`zone ${name} already exists`);
      cloud.managedZones.set(name, new ManagedZone({ name, ...v.parse(Zone, body) }, cloud.dns));
      return {};
    },
    "DELETE /dns-zones": ({ name }) => {
      cloud.managedZones.get(name)?.withdraw();
      return cloud.managedZones.delete(name) ? {} : undefined;
    },
    "GET /dns-records": ({ name }) => cloud.dns.below(".").filter((set) => set.name === qualified(name)),
    "PUT /dns-records": ({ name, body }) => {
      const { type, values, ttl } = v.parse(Records, body);
      const kept = values.map((value) => normalized(type, value));
      cloud.dns.set(name, type, kept, ttl);
      return {};
    },
    "DELETE /dns-records": ({ name, body }) => {
      const only = v.parse(OfType, body)?.type;
      const types = only === undefined ? RECORD_TYPES : [only];
      const deleted = types.filter((type) => cloud.dns.delete(name, type));
      return deleted.length > 0 ? {} : undefined;
    },
  };
}
