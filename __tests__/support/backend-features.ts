import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";

const Headers = v.looseObject({ headers: v.optional(v.array(v.string())) });
const Spec = v.looseObject({
  cdn: v.optional(v.looseObject({ enabled: v.optional(v.boolean(), false) })),
  customRequestHeaders: v.optional(Headers),
  customResponseHeaders: v.optional(Headers),
  iap: v.optional(v.looseObject({ enabled: v.optional(v.boolean(), false) })),
  logging: v.optional(
    v.looseObject({ enable: v.optional(v.boolean(), false), sampleRate: v.optional(v.number()) }),
  ),
  sessionAffinity: v.optional(
    v.looseObject({ affinityType: v.optional(v.string(), ""), affinityCookieTtlSec: v.optional(v.number()) }),
  ),
});

/**
 * A backend service as Google returns it. Go's client leaves empty members out; Go tells a
 * null list from an empty one.
 */
export interface BackendService {
  enableCDN: boolean;
  customRequestHeaders: string[] | null;
  customResponseHeaders: string[] | null;
  iap: { enabled: boolean; oauth2ClientSecretSha256: string } | null;
  logConfig: { enable: boolean; sampleRate: number } | null;
  sessionAffinity: string;
  affinityCookieTtlSec: number;
}

export const NEW_SERVICE: BackendService = {
  enableCDN: false,
  customRequestHeaders: null,
  customResponseHeaders: null,
  iap: null,
  logConfig: null,
  sessionAffinity: "NONE",
  affinityCookieTtlSec: 0,
};

/**
 * Returns a backend service after a sync with a BackendConfig's spec, and what the controller has
 * updated: a port of the comparisons in kubernetes/ingress-gce, pkg/backends/features (an OAuth
 * client of one's own left out).
 */
export function syncFeatures(
  spec: unknown,
  live: BackendService,
): { service: BackendService; updated: string[] } {
  const { cdn, customRequestHeaders, customResponseHeaders, iap, logging, sessionAffinity } = v.parse(
    Spec,
    spec,
  );
  const service = structuredClone(live);
  const updated: string[] = [];

  // cdn.go EnsureCDN
  if (cdn && cdn.enabled !== live.enableCDN) {
    service.enableCDN = cdn.enabled;
    updated.push("cdn");
  }
  // affinity.go EnsureAffinity
  if (sessionAffinity) {
    const { affinityType, affinityCookieTtlSec: ttl } = sessionAffinity;
    if ((ttl ?? 0) !== live.affinityCookieTtlSec || affinityType !== live.sessionAffinity) {
      service.sessionAffinity = affinityType;
      service.affinityCookieTtlSec = ttl ?? live.affinityCookieTtlSec;
      updated.push("sessionAffinity");
    }
  }
  // customrequestheaders.go EnsureCustomRequestHeaders
  if (customRequestHeaders) {
    const desired = customRequestHeaders.headers ?? null;
    if (!isDeepStrictEqual(desired, live.customRequestHeaders)) {
      service.customRequestHeaders = desired;
      updated.push("customRequestHeaders");
    }
  }
  // customresponseheaders.go EnsureCustomResponseHeaders: no spec at all is an empty
  // list, an empty spec a null one.
  const desired = customResponseHeaders ? (customResponseHeaders.headers ?? null) : [];
  if (!isDeepStrictEqual(desired, live.customResponseHeaders ?? [])) {
    service.customResponseHeaders = desired;
    updated.push("customResponseHeaders");
  }
  // logging.go EnsureLogging
  if (logging) {
    const rate = logging.enable ? (logging.sampleRate ?? (live.logConfig?.sampleRate || 1)) : 0;
    const wanted = { enable: logging.enable, sampleRate: rate };
    if (!isDeepStrictEqual(wanted, live.logConfig)) {
      service.logConfig = wanted;
      updated.push("logging");
    }
  }
  // iap.go EnsureIAP: compares the hash of the client's secret, which Google doesn't return without a client.
  if (iap) {
    const hash = createHash("sha256").update("").digest("hex");
    if (!live.iap || live.iap.enabled !== iap.enabled || live.iap.oauth2ClientSecretSha256 !== hash) {
      service.iap = { enabled: iap.enabled, oauth2ClientSecretSha256: "" };
      updated.push("iap");
    }
  }
  return { service: stored(service), updated };
}

/** Go's JSON leaves empty lists out, so that Google returns none. */
function stored(service: BackendService): BackendService {
  const list = (headers: string[] | null) => (headers?.length ? headers : null);
  return {
    ...service,
    customRequestHeaders: list(service.customRequestHeaders),
    customResponseHeaders: list(service.customResponseHeaders),
  };
}
