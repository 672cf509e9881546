import { X509Certificate } from "node:crypto";
import { chainIn } from "./certificate.ts";

/** Tags of DER (X.690, 8.1.2), and of RFC 5280's `permittedSubtrees` and `dNSName`. */
const TAG = {
  boolean: 0x01,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
  permittedSubtrees: 0xa0,
  dnsName: 0x82,
} as const;

/** id-ce-nameConstraints. */
export const NAME_CONSTRAINTS = "2.5.29.30";
const IDENTIFIER = Buffer.from([0x55, 0x1d, 0x1e]);

/**
 * Returns the DER of NameConstraints (RFC 5280, 4.2.1.10) that permits certificates for a host, and for names
 * below it, only.
 */
export function nameConstraint(host: string): Buffer {
  const subtree = der(TAG.sequence, der(TAG.dnsName, Buffer.from(host, "ascii")));
  return der(TAG.sequence, der(TAG.permittedSubtrees, subtree));
}

/** Tells whether a certificate is an authority's that can sign for this host, and is constrained to it. */
export function isConstrainedTo(host: string, { ca, raw }: X509Certificate): boolean {
  const extension = der(
    TAG.sequence,
    der(TAG.objectIdentifier, IDENTIFIER),
    der(TAG.boolean, Buffer.from([0xff])),
    der(TAG.octetString, nameConstraint(host)),
  );
  return ca && raw.includes(extension);
}

/** Tells whether an authority in a chain is constrained to this host, as those are that this action makes. */
export function hasAuthorityFor(host: string, chain: string): boolean {
  try {
    return chainIn(chain).some((certificate) => isConstrainedTo(host, certificate));
  } catch {
    // A chain that can't be parsed has none.
    return false;
  }
}

/** The common name of an authority that this action makes begins with this; its host follows. */
export const AUTHORITY_OF = "Authority of ";

/** Tells whether a certificate is an authority that this action made, for whatever host. */
export function isOwnAuthority(certificate: string): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    const [, host] = new RegExp(`^CN=${AUTHORITY_OF}(\\S+)$`).exec(parsed.subject) ?? [];
    return host !== undefined && isConstrainedTo(host, parsed);
  } catch {
    return false;
  }
}

function der(tag: number, ...content: Buffer[]): Buffer {
  const value = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(value)]), value]);
}

/** A length from 128 on is preceded by the number of its bytes (X.690, 8.1.3). */
function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
