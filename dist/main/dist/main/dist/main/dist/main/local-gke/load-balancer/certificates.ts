import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { SslCertificate } from "../cloud.ts";

/**
 * Selects the certificate for a server name. If none matches, Google presents the first one. Certificates
 * that are not yet issued, or not yet known everywhere, are not presented.
 */
export function certificateFor(
  certificates: SslCertificate[],
  serverName: string | undefined,
): SslCertificate | undefined {
  const issued = certificates.filter(
    ({ certificate, presentedFrom = 0 }) => certificate !== "" && presentedFrom <= Date.now(),
  );
  const matching = issued.find(
    ({ certificate }) => serverName && new X509Certificate(certificate).checkHost(serverName),
  );
  return matching ?? issued[0];
}

export function secureContext({ certificate, privateKey }: SslCertificate): SecureContext {
  return createSecureContext({ cert: certificate, key: privateKey });
}
