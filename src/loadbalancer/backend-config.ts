import type { YamlMap } from "../base/yaml.ts";
import { isMap } from "../base/yaml.ts";
import { mergeValues } from "../helm/values.ts";

/** A BackendConfig's spec, as far as this action looks at it. */
interface BackendConfigSpec extends YamlMap {
  healthCheck: YamlMap;
  cdn?: YamlMap;
}

/** How long a backend that leaves goes on serving the calls that it has, in seconds. */
const DRAINING_SECONDS = 60;

/** How long Milvus may take to answer a health check, in seconds, and how often one is made. */
const HEALTH_CHECK = { timeoutSec: 10, checkIntervalSec: 15 };

/**
 * Returns a BackendConfig's spec. Milvus answers health checks on its metrics port only: HTTP /healthz on 9091,
 * whatever its TLS mode. With network endpoint groups the health check's port is the container's.
 *
 * @param overlay what the user lays over it
 */
export function backendConfigSpec(timeoutSeconds: number, overlay: YamlMap): BackendConfigSpec {
  const { healthCheck, cdn, ...others } = overlay;
  const theirs = asMap(healthCheck);
  const interval = typeof theirs.checkIntervalSec === "number" ? theirs.checkIntervalSec : undefined;
  const ours = {
    type: "HTTP",
    port: 9091,
    requestPath: "/healthz",
    ...HEALTH_CHECK,
    // Google refuses a timeout above the interval, also when only one of them is set.
    ...(interval && { timeoutSec: Math.max(1, Math.min(HEALTH_CHECK.timeoutSec, interval - 1)) }),
  };
  return {
    ...mergeValues(
      {
        // Google's default of 30 s cuts longer searches and streams.
        timeoutSec: timeoutSeconds,
        connectionDraining: { drainingTimeoutSec: DRAINING_SECONDS },
      },
      others,
    ),
    healthCheck: mergeValues(ours, theirs),
    ...(cdn !== undefined && { cdn: asMap(cdn) }),
  };
}

function asMap(value: unknown): YamlMap {
  return isMap(value) ? value : {};
}
