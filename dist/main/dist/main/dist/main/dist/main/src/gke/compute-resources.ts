import * as v from "valibot";

/** A resource's location, as in Google's URLs. */
export type Scope = "global" | `regions/${string}`;

/** Purpose of an internal address that several forwarding rules share. */
export const SHARED = "SHARED_LOADBALANCER_VIP";

export const Address = v.object({
  name: v.string(),
  address: v.string(),
  addressType: v.optional(v.string(), "EXTERNAL"),
  purpose: v.optional(v.string()),
  status: v.string(),
  /** URLs of the forwarding rules that use it. */
  users: v.optional(v.array(v.string()), []),
});
export type Address = v.InferOutput<typeof Address>;

export const SslCertificate = v.object({
  name: v.string(),
  type: v.optional(v.string(), "SELF_MANAGED"),
  /** PEM: the certificate with its chain. */
  certificate: v.optional(v.string()),
  /** Empty for a managed certificate that is not issued yet. */
  subjectAlternativeNames: v.optional(v.array(v.string()), []),
  /** RFC 3339. */
  expireTime: v.optional(v.string()),
  managed: v.optional(
    v.object({
      status: v.optional(v.string()),
      domains: v.optional(v.array(v.string()), []),
      domainStatus: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
});
export type SslCertificate = v.InferOutput<typeof SslCertificate>;

/** A rule of a Cloud Armor policy. The lowest priority counts first. */
const SecurityRule = v.object({
  priority: v.number(),
  /** `allow`, or e.g. `deny(403)`. */
  action: v.string(),
  /** Whether the rule is only logged. */
  preview: v.optional(v.boolean(), false),
  match: v.optional(
    v.object({
      versionedExpr: v.optional(v.string()),
      config: v.optional(v.object({ srcIpRanges: v.optional(v.array(v.string()), []) }), {}),
    }),
    {},
  ),
});
export type SecurityRule = v.InferOutput<typeof SecurityRule>;

export const SecurityPolicy = v.object({
  name: v.string(),
  description: v.optional(v.string(), ""),
  rules: v.optional(v.array(SecurityRule), []),
});
export type SecurityPolicy = v.InferOutput<typeof SecurityPolicy>;

export const Subnetworks = v.object({
  items: v.optional(
    v.array(
      v.object({
        name: v.string(),
        network: v.string(),
        purpose: v.optional(v.string()),
        role: v.optional(v.string()),
      }),
    ),
    [],
  ),
  nextPageToken: v.optional(v.string()),
});

export const BackendService = v.object({
  /** Without one as long as no group is attached. */
  backends: v.optional(v.array(v.object({ group: v.string() })), []),
});

/** What Google's last health check says of an endpoint of a network endpoint group. */
export const EndpointHealth = v.object({
  /** The pod's address. */
  ipAddress: v.optional(v.string(), ""),
  /** The container's port for clients, not the one that is checked. */
  port: v.optional(v.number(), 0),
  /** `HEALTHY` or `UNHEALTHY`. */
  healthState: v.optional(v.string(), ""),
});
export type EndpointHealth = v.InferOutput<typeof EndpointHealth>;

export const GroupHealth = v.object({ healthStatus: v.optional(v.array(EndpointHealth), []) });

export const Operation = v.object({
  name: v.string(),
  status: v.string(),
  httpErrorStatusCode: v.optional(v.number()),
  error: v.optional(v.object({ errors: v.array(v.object({ code: v.string(), message: v.string() })) })),
});
export type Operation = v.InferOutput<typeof Operation>;
