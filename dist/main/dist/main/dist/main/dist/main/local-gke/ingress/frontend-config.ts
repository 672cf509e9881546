import { isRecord } from "./annotations.ts";

/** The fields of a FrontendConfig that the stand-in supports. */
export interface FrontendConfig {
  /** Name of the target HTTPS proxy's SSL policy. */
  sslPolicy: string | undefined;
  /** Google's name for the status of the redirect from HTTP to HTTPS; undefined without a redirect. */
  redirect: string | undefined;
}

const REDIRECT_STATUS = new Map([
  ["MOVED_PERMANENTLY_DEFAULT", 301],
  ["FOUND", 302],
  ["SEE_OTHER", 303],
  ["TEMPORARY_REDIRECT", 307],
  ["PERMANENT_REDIRECT", 308],
]);

/** Parses the `spec` of a FrontendConfig, whose types the CRD's schema has checked. */
export function parseFrontendConfig(spec: unknown): FrontendConfig {
  const root = isRecord(spec) ? spec : {};
  const redirect = isRecord(root.redirectToHttps) ? root.redirectToHttps : {};
  const code = redirect.responseCodeName;
  return {
    sslPolicy: typeof root.sslPolicy === "string" && root.sslPolicy !== "" ? root.sslPolicy : undefined,
    redirect: redirect.enabled === true ? String(code || "MOVED_PERMANENTLY_DEFAULT") : undefined,
  };
}

/** @throws Error with Google's message if the name is invalid */
export function redirectStatus(name: string): number {
  const status = REDIRECT_STATUS.get(name);
  if (status !== undefined) return status;
  throw new Error(
    "googleapi: Error 400: Invalid value for field 'resource.defaultUrlRedirect.redirectResponseCode': " +
      `'${name}'. , invalid`,
  );
}
