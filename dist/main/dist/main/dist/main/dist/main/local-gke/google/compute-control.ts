import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import type { JsonHandler } from "../control-plane/json-server.ts";
import { admitAll } from "./compute-security-policies.ts";

const AddressSettings = v.optional(
  v.strictObject({
    region: v.exactOptional(v.string()),
    addressType: v.exactOptional(v.picklist(["EXTERNAL", "INTERNAL"])),
    purpose: v.exactOptional(v.picklist(["GCE_ENDPOINT", "SHARED_LOADBALANCER_VIP"])),
  }),
  {},
);
const InRegion = v.optional(v.strictObject({ region: v.exactOptional(v.string()) }), {});
const ForwardingRule = v.strictObject({ address: v.string() });
const Certificate = v.strictObject({
  certificate: v.string(),
  privateKey: v.string(),
  region: v.exactOptional(v.string()),
});
const Subnetwork = v.strictObject({
  region: v.exactOptional(v.string()),
  ipCidrRange: v.optional(v.string(), "10.130.0.0/23"),
  purpose: v.optional(v.string(), "PRIVATE"),
  role: v.exactOptional(v.picklist(["ACTIVE", "BACKUP"])),
});

/** Control API handlers for the Compute Engine resources that users create in advance. */
export function computeControls(cloud: Cloud): Record<string, JsonHandler> {
  return {
    "PUT /static-addresses": ({ name, body }) => ({
      address: cloud.reserveAddress(name, v.parse(AddressSettings, body)),
    }),
    "DELETE /static-addresses": ({ name, body }) =>
      cloud.staticAddresses.delete(name, v.parse(InRegion, body).region) ? {} : undefined,
    "PUT /forwarding-rules": ({ name, body }) => {
      cloud.forwardingRules.set(name, v.parse(ForwardingRule, body).address);
      return {};
    },
    "DELETE /forwarding-rules": ({ name }) => (cloud.forwardingRules.delete(name) ? {} : undefined),
    "PUT /subnetworks": ({ name, body }) => {
      cloud.subnetworks.set(name, { name, region: cloud.region, ...v.parse(Subnetwork, body) });
      return {};
    },
    "DELETE /subnetworks": ({ name }) => (cloud.subnetworks.delete(name) ? {} : undefined),
    "PUT /ssl-certificates": ({ name, body }) => {
      cloud.setSslCertificate({ name, ...v.parse(Certificate, body) });
      cloud.emit("resource");
      return {};
    },
    "DELETE /ssl-certificates": ({ name }) => (cloud.deleteSslCertificate(name) ? {} : undefined),
    "PUT /ssl-policies": ({ name }) => {
      cloud.sslPolicies.add(name);
      return {};
    },
    "DELETE /ssl-policies": ({ name }) => (cloud.sslPolicies.delete(name) ? {} : undefined),
    "PUT /security-policies": ({ name }) => {
      cloud.securityPolicies.set(name, { name, description: "", rules: [admitAll()] });
      return {};
    },
    "DELETE /security-policies": ({ name }) => (cloud.securityPolicies.delete(name) ? {} : undefined),
  };
}
