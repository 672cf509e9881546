/** The default account of Milvus. */
const ROOT = "root:Milvus";

/**
 * The message of the status UNAUTHENTICATED with which Milvus refuses a call; undefined if it accepts the
 * call. Only the default account exists.
 *
 * @param header the call's `authorization` metadata: base64 of `user:password` or of an API key
 */
export function authenticationError(header: string | undefined): string | undefined {
  if (header === undefined) return "missing authorization in header";
  const token = Buffer.from(header, "base64").toString();
  if (token === ROOT) return undefined;
  return token.includes(":")
    ? "auth check failure, please check username and password are correct"
    : "auth check failure, please check api key is correct";
}
