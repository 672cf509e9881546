import type { HealthCheck } from "../cloud.ts";
import { isProtocol, isRecord, type Protocol } from "./annotations.ts";

/** The fields of a BackendConfig that the stand-in supports. */
export interface BackendConfig {
  namespace: string;
  name: string;
  timeoutSec: number | undefined;
  healthCheck: {
    type: string | undefined;
    port: number | undefined;
    requestPath: string | undefined;
    checkIntervalSec: number | undefined;
    timeoutSec: number | undefined;
  };
  affinityType: string | undefined;
  affinityCookieTtlSec: number | undefined;
  logSampleRate: number | undefined;
  iap: boolean;
  cdn: boolean;
  /** Name of a Cloud Armor policy. Empty removes the policy. */
  securityPolicy: string | undefined;
}

/** Parses the `spec` of a BackendConfig, whose types the CRD's schema has checked. */
export function parseBackendConfig(namespace: string, name: string, spec: unknown): BackendConfig {
  const root = record(spec);
  const healthCheck = record(root.healthCheck);
  const affinity = record(root.sessionAffinity);
  return {
    namespace,
    name,
    timeoutSec: number(root.timeoutSec),
    healthCheck: {
      type: string(healthCheck.type),
      port: number(healthCheck.port),
      requestPath: string(healthCheck.requestPath),
      checkIntervalSec: number(healthCheck.checkIntervalSec),
      timeoutSec: number(healthCheck.timeoutSec),
    },
    affinityType: string(affinity.affinityType),
    affinityCookieTtlSec: number(affinity.affinityCookieTtlSec),
    logSampleRate: number(record(root.logging).sampleRate),
    iap: record(root.iap).enabled === true,
    cdn: record(root.cdn).enabled === true,
    securityPolicy: isRecord(root.securityPolicy) ? (string(root.securityPolicy.name) ?? "") : undefined,
  };
}

/** Why the controller refuses a BackendConfig before it calls Google; undefined if it accepts it. */
export function validationError(config: BackendConfig): string | undefined {
  if (config.iap && config.cdn) return "iap and cdn cannot be enabled at the same time";
  const affinity = config.affinityType;
  if (affinity && !["NONE", "CLIENT_IP", "GENERATED_COOKIE"].includes(affinity)) {
    return `unsupported AffinityType: ${affinity}, should be one of NONE, CLIENT_IP, or GENERATED_COOKIE`;
  }
  const ttl = config.affinityCookieTtlSec;
  if (ttl !== undefined && (ttl < 0 || ttl > 86400)) {
    return `unsupported AffinityCookieTtlSec: ${ttl}, should be between 0 and 86400`;
  }
  const rate = config.logSampleRate;
  if (rate !== undefined && (rate < 0 || rate > 1)) {
    return `unsupported SampleRate: ${rate.toFixed(6)}, should be between 0.0 and 1.0`;
  }
  return undefined;
}

/**
 * The health check of a backend service: the controller's defaults, overridden by the BackendConfig.
 *
 * @throws Error with the controller's or Google's message if it is invalid
 */
export function healthCheck(
  config: BackendConfig | undefined,
  defaults: { protocol: Protocol; servingPort: number; neg: boolean },
): HealthCheck {
  const wanted = config?.healthCheck;
  const type = wanted?.type ?? defaults.protocol;
  if (!isProtocol(type)) {
    throw new Error(`Protocol ${JSON.stringify(type)} is not valid, must be one of ["HTTP","HTTPS","HTTP2"]`);
  }
  const seconds = defaults.neg ? 15 : 60;
  const check: HealthCheck = {
    type,
    port: wanted?.port ?? defaults.servingPort,
    requestPath: wanted?.requestPath ?? "/",
    checkIntervalSec: wanted?.checkIntervalSec ?? seconds,
    timeoutSec: wanted?.timeoutSec ?? seconds,
  };
  // Google's message says "less than", but the two may be equal, as the defaults are.
  if (check.timeoutSec > check.checkIntervalSec) {
    throw new Error(
      `googleapi: Error 400: Invalid value for field 'resource.timeoutSec': '${check.timeoutSec}'. ` +
        "TimeoutSec should be less than checkIntervalSec., invalid",
    );
  }
  return check;
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function number(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function string(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
