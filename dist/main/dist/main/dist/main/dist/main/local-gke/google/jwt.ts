import { type KeyObject, sign, verify } from "node:crypto";

/** Signs a JSON Web Token with RS256, as GitHub and Google do. */
export function signJwt(claims: Record<string, unknown>, privateKey: KeyObject): string {
  const content = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  return `${content}.${sign("sha256", Buffer.from(content), privateKey).toString("base64url")}`;
}

/** Decodes a token and verifies its signature. Undefined if it is malformed. */
export function readJwt(
  token: string,
  publicKey: KeyObject,
): { claims: Record<string, unknown>; signed: boolean } | undefined {
  const [header, payload, signature] = token.split(".");
  if (!header || !payload || !signature) return undefined;
  const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
  if (typeof claims !== "object" || claims === null) return undefined;
  const content = Buffer.from(`${header}.${payload}`);
  return {
    claims: { ...claims },
    signed: verify("sha256", content, publicKey, Buffer.from(signature, "base64url")),
  };
}

function encode(part: Record<string, unknown>): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
