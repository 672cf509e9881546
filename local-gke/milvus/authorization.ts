/** The account that every Milvus has. */
const ROOT = "root:Milvus";

/**
 * Returns the message of the UNAUTHENTICATED status with which Milvus refuses a call, or undefined when it lets
 * it pass. Only the account that every Milvus has from the start is known.
 *
 * @param header the call's `authorization` metadata: base64 of `user:password` or of an API key
 */
export function refusal(header: string | undefined): string | undefined {
  if (header === undefined) return "missing authorization in header";
  const token = Buffer.from(header, "base64").toString();
  if (token === ROOT) return undefined;
  return token.includes(":")
    ? "auth check failure, please check username and password are correct"
    : "auth check failure, please check api key is correct";
}
