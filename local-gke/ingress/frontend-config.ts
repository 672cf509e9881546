import { isRecord } from "./annotations.ts";

/** What the stand-in acts on of a FrontendConfig. */
export interface FrontendConfig {
  /** Name of the SSL policy of the HTTPS proxy. */
  sslPolicy: string | undefined;
  /** Name of the status with which HTTP is redirected to HTTPS; undefined when it isn't. */
  redirect: string | undefined;
}

/** Status of a redirect by Google's names. */
const REDIRECT_STATUS = new Map([
  ["MOVED_PERMANENTLY_DEFAULT", 301],
  ["FOUND", 302],
  ["SEE_OTHER", 303],
  ["TEMPORARY_REDIRECT", 307],
  ["PERMANENT_REDIRECT", 308],
]);

/** Returns a FrontendConfig from the `spec` of its object, whose types the CRD's schema has checked. */
export function parseFrontendConfig(spec: unknown): FrontendConfig {
  const root = isRecord(spec) ? spec : {};
  const redirect = isRecord(root.redirectToHttps) ? root.redirectToHttps : {};
  const code = redirect.responseCodeName;
  return {
    sslPolicy: typeof root.sslPolicy === "string" && root.sslPolicy !== "" ? root.sslPolicy : undefined,
    redirect: redirect.enabled === true ? String(code || "MOVED_PERMANENTLY_DEFAULT") : undefined,
  };
}

/** Returns the HTTP status of a redirect. @throws Error with Google's text when there is none of this name */
export function redirectStatus(name: string): number {
  const status = REDIRECT_STATUS.get(name);
  if (status !== undefined) return status;
  throw new Error(
    `googleapi: Error 400: Invalid value for field 'resource.defaultUrlRedirect.redirectResponseCode': '${name}'. , invalid`,
  );
}
