import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";

const Text = v.fallback(v.optional(v.string()), undefined);
const Context = v.fallback(v.object({ user: Text }), {});
const User = v.fallback(
  v.object({
    token: Text,
    tokenFile: v.optional(v.unknown()),
    exec: v.optional(v.unknown()),
    "client-certificate-data": Text,
  }),
  {},
);

/**
 * What this action reads of a kubeconfig. It skips what is malformed: kubectl says what is
 * wrong there, and may not need it.
 */
export const KubeconfigFile = v.fallback(
  v.object({
    "current-context": Text,
    contexts: listOf(v.fallback(v.object({ name: Text, context: Context }), { context: {} })),
    users: listOf(v.fallback(v.object({ name: Text, user: User }), { user: {} })),
  }),
  { contexts: [], users: [] },
);
export type KubeconfigFile = v.InferOutput<typeof KubeconfigFile>;

/**
 * Returns when a context's credentials end, in milliseconds since the epoch. Undefined if they don't say, or
 * are renewed: by a program (`exec`), or in a file (`tokenFile`).
 *
 * @param configs parsed contents of the kubeconfig's files; the first one that has
 *   an entry wins, as with kubectl
 */
export function credentialsEnd(configs: readonly KubeconfigFile[], context: string): number | undefined {
  const contexts = configs.flatMap((config) => config.contexts);
  const name = contexts.find((entry) => entry.name === context)?.context.user;
  const users = configs.flatMap((config) => config.users);
  const user = name === undefined ? undefined : users.find((entry) => entry.name === name)?.user;
  if (!user || user.exec !== undefined || user.tokenFile !== undefined) return undefined;
  const { token, "client-certificate-data": certificate } = user;
  if (token !== undefined) return endOfToken(token);
  return certificate === undefined ? undefined : endOfCertificate(certificate);
}

function listOf<T>(entry: v.GenericSchema<unknown, T>) {
  return v.fallback(v.array(entry), []);
}

/**
 * A JWT, as ServiceAccounts and OIDC providers issue them, has its end among its claims. Others tell nothing.
 */
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
