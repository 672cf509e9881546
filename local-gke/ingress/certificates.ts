import { createPrivateKey, X509Certificate } from "node:crypto";

/** Whether Google takes a certificate: it can be read, and the key is its own. Both are PEM. */
export function isUsable(certificate: string, privateKey: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
  } catch {
    // Neither constructor has another reason to fail than text that it can't read.
    return false;
  }
}
