import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { SslCertificate } from "../cloud.ts";

/**
 * Returns the certificate for a server name, or the first one: what Google presents when none fits. One that was not
 * issued yet is never presented; undefined when there is no other.
 */
export function certificateFor(
  certificates: SslCertificate[],
  serverName: string | undefined,
): SslCertificate | undefined {
  const issued = certificates.filter(({ certificate }) => certificate !== "");
  const fitting = issued.find(
    ({ certificate }) => serverName && new X509Certificate(certificate).checkHost(serverName),
  );
  return fitting ?? issued[0];
}

/** Returns what a TLS server needs in order to present a certificate. */
export function secureContext({ certificate, privateKey }: SslCertificate): SecureContext {
  return createSecureContext({ cert: certificate, key: privateKey });
}
