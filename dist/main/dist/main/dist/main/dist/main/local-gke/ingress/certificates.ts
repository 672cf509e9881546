import { createPrivateKey, X509Certificate } from "node:crypto";

/** Whether Google accepts a certificate: its PEM is valid, and the key matches. */
export function isUsable(certificate: string, privateKey: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
  } catch {
    // Both constructors fail only if they can't parse the text.
    return false;
  }
}
