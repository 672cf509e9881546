import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import { fields } from "./google-api.ts";

/**
 * Returns when a context's credentials end, in milliseconds since the epoch. Undefined if they don't say, or are
 * renewed: by a program (`exec`), or in a file (`tokenFile`).
 *
 * @param configs parsed contents of the kubeconfig's files; the first one that has an entry wins, as with kubectl
 */
export function credentialsEnd(configs: readonly unknown[], context: string): number | undefined {
  const { user } = entryOf(configs, "contexts", "context", context);
  if (typeof user !== "string") return undefined;
  const {
    token,
    tokenFile,
    exec,
    "client-certificate-data": certificate,
  } = entryOf(configs, "users", "user", user);
  if (exec !== undefined || tokenFile !== undefined) return undefined;
  if (typeof token === "string") return endOfToken(token);
  return typeof certificate === "string" ? endOfCertificate(certificate) : undefined;
}

function entryOf(
  configs: readonly unknown[],
  list: "contexts" | "users",
  member: "context" | "user",
  name: string,
): Record<string, unknown> {
  const entries = configs.flatMap((config) => {
    const found = fields(config)[list];
    return Array.isArray(found) ? found.map(fields) : [];
  });
  return fields(entries.find((entry) => entry.name === name)?.[member]);
}

/** A JWT, as ServiceAccounts and OIDC providers issue them, has its end among its claims. Others tell nothing. */
function endOfToken(token: string): number | undefined {
  const claims = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  const seconds = parseJson(v.looseObject({ exp: v.number() }), claims)?.exp;
  return seconds === undefined ? undefined : seconds * 1000;
}

function endOfCertificate(data: string): number | undefined {
  try {
    return new X509Certificate(Buffer.from(data, "base64")).validToDate.getTime();
  } catch {
    // kubectl says what is wrong with it.
    return undefined;
  }
}
