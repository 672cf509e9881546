import { asMap, type YamlMap } from "../base/yaml.ts";
import { mergeValues } from "../helm/values.ts";

/** The fields of a BackendConfig's spec that this action reads. */
interface BackendConfigSpec extends YamlMap {
  healthCheck: YamlMap;
  cdn?: YamlMap;
}

/** How long a removed backend may finish its calls, in seconds. */
const DRAINING_SECONDS = 60;

/** In seconds: how long Milvus may take to answer a health check, and the time between two checks. */
const HEALTH_CHECK = { timeoutSec: 10, checkIntervalSec: 15 };

/**
 * Returns a BackendConfig's spec. Milvus answers health checks on its metrics port only: HTTP /healthz on
 * 9091, in every TLS mode. With network endpoint groups the health check's port is the container's.
 *
 * @param overlay the input `backend_config`, which wins over this action's values
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
    // Google refuses a timeout above the interval, even if only one of the two is set.
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
