import { X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { ActionError } from "../base/errors.ts";
import { chainIn, isIssuedBy } from "./certificate.ts";

/**
 * Refuses a certificate that the check through the load balancer can't accept. That check would fail only
 * after the upgrade, when its limit has passed.
 *
 * @param certificate PEM: the chain, with whatever else belongs to it
 * @param trusted PEM: the authorities that this runner trusts
 * @throws ActionError naming the issuer that is missing
 */
export function refuseUntrusted(
  certificate: string,
  host: string,
  trusted: readonly string[] = getCACertificates(),
): void {
  const issuer = missingIssuer(certificate, trusted);
  if (issuer === undefined) return;
  throw new ActionError(`This runner doesn't trust the certificate for ${host}; nothing was changed.`, {
    why: `it is signed by ${issuer}, which is neither in the chain nor an authority that this runner trusts. The check through the load balancer would fail.`,
    fix: "put the certificates of its issuers behind it (tls_certificate, or tls.crt of the Secret), the authority's own at the end; or name a file with that authority in NODE_EXTRA_CA_CERTS. verify: false leaves the check out.",
  });
}

/**
 * Returns the name of the issuer at which a chain breaks off; undefined if it ends at
 * a trusted or self-signed one.
 */
function missingIssuer(certificate: string, trusted: readonly string[]): string | undefined {
  const [leaf, ...others] = chainIn(certificate);
  let last = leaf;
  while (last && last.subject !== last.issuer) {
    const issued = last;
    const next = others.find((other) => isIssuedBy(issued, other));
    if (!next) return isTrusted(issued, trusted) ? undefined : issued.issuer.replaceAll("\n", ", ");
    others.splice(others.indexOf(next), 1);
    last = next;
  }
  return undefined;
}

function isTrusted(certificate: X509Certificate, trusted: readonly string[]): boolean {
  return trusted.some((authority) => isIssuedBy(certificate, new X509Certificate(authority)));
}
