/** The Google services that the action calls, with the common path of their URLs. */
const PATHS = {
  container: "/v1",
  connectgateway: "/v1",
  oauth2: "",
  sts: "/v1",
  iamcredentials: "/v1",
  compute: "/compute/v1",
  dns: "/dns/v1",
} as const;

export type GoogleService = keyof typeof PATHS;

/** The universe outside sovereign clouds. */
export const DEFAULT_UNIVERSE = "googleapis.com";

/**
 * Returns the base URL of a service, without a trailing slash. `GHA_ENDPOINT_OVERRIDE_<service>` replaces all
 * of it, with the version, as in Google's own actions (@google-github-actions/actions-utils, universe.ts).
 */
export function baseUrl(
  service: GoogleService,
  environment: NodeJS.ProcessEnv,
  universe = DEFAULT_UNIVERSE,
): string {
  return endpointOverride(service, environment) ?? `https://${service}.${universe}${PATHS[service]}`;
}

/**
 * Returns `url` with the override of its service applied: credential files and libraries contain Google's own
 * URLs. Other URLs are returned unchanged.
 */
export function redirected(url: string, environment: NodeJS.ProcessEnv, universe = DEFAULT_UNIVERSE): string {
  for (const [service, path] of Object.entries(PATHS)) {
    const base = `https://${service}.${universe}${path}`;
    if (url.startsWith(`${base}/`))
      return (endpointOverride(service, environment) ?? base) + url.slice(base.length);
  }
  return url;
}

/** Returns the base URL that the environment sets for a service, undefined if it sets none. */
export function endpointOverride(service: string, environment: NodeJS.ProcessEnv): string | undefined {
  return environment[`GHA_ENDPOINT_OVERRIDE_${service}`]?.replace(/\/+$/, "") || undefined;
}
