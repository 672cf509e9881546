import type { Secret } from "../kubernetes/objects.ts";
import { certificatesIn, type KeyPair } from "./certificate.ts";

/** Returns the certificates and the key in a Secret; empty texts where it has none. */
export function pairIn(secret: Secret): KeyPair {
  const text = (key: string) => bytesIn(secret, key).toString();
  return { certificate: certificatesIn(text("tls.crt")), privateKey: text("tls.key") };
}

/** Returns an entry of a Secret; empty if it has none of that name. */
export function bytesIn(secret: Secret, key: string): Buffer {
  return Buffer.from(secret.data[key] ?? "", "base64");
}
