import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { messageOf } from "../base/errors.ts";
import { certificateMatchesHost, chainIn, isIssuedBy, type KeyPair } from "./certificate.ts";

/**
 * What each load balancer takes: cloud.google.com/load-balancing/docs/ssl-certificates, "Supported key types"
 * (P-384 for regional certificates, which internal load balancers have), and .../self-managed-certs.
 */
const CURVES = {
  external: { accepted: ["prime256v1"], title: "ECDSA P-256" },
  internal: { accepted: ["prime256v1", "secp384r1"], title: "ECDSA P-256 or P-384" },
};

/**
 * Returns what is wrong with a key pair from the inputs, in sentences that name them: everything that Google
 * or a client would refuse.
 *
 * @param loadBalancer the kind that presents it: the internal one takes more kinds of keys
 * @param now milliseconds since the epoch
 */
export function problemsOfGiven(
  pair: KeyPair,
  host: string,
  loadBalancer: keyof typeof CURVES,
  now: number,
): string[] {
  let chain: X509Certificate[];
  try {
    chain = chainIn(pair.certificate);
  } catch (error) {
    return [`tls_certificate can't be parsed: ${messageOf(error)}`];
  }
  const [leaf, ...issuers] = chain;
  if (!leaf) {
    return [
      "tls_certificate holds no PEM certificate (-----BEGIN CERTIFICATE-----): give its text, not a file's path",
    ];
  }
  // All else that is wrong with it follows from that.
  if (leaf.ca && issuers.length > 0) {
    return ["tls_certificate begins with an authority's certificate: the host's own comes first"];
  }
  return [
    ...problemsOfKey(pair.privateKey, leaf, loadBalancer),
    ...(!certificateMatchesHost(leaf, host)
      ? [`tls_certificate is not for ${host} (subject alternative names: ${leaf.subjectAltName ?? "none"})`]
      : []),
    ...chain.flatMap((certificate, index) => problemsOfDates(certificate, index, now)),
    ...issuers.flatMap((issuer, index) => {
      const issued = chain[index];
      return !issued || isIssuedBy(issued, issuer)
        ? []
        : [
            `tls_certificate is not in order: certificate ${index + 1} (${nameOf(issued)}) is not signed by the next one (${nameOf(issuer)})`,
          ];
    }),
  ];
}

function problemsOfKey(
  privateKey: string,
  leaf: X509Certificate,
  loadBalancer: keyof typeof CURVES,
): string[] {
  let key: KeyObject;
  try {
    key = createPrivateKey(privateKey);
  } catch (error) {
    const isEncrypted = /ENCRYPTED/.test(privateKey);
    if (isEncrypted) return ["tls_private_key is encrypted: give it without a passphrase"];
    return [`tls_private_key can't be read: ${messageOf(error)}`];
  }
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const curves = CURVES[loadBalancer];
  const isRsa = key.asymmetricKeyType === "rsa";
  const isAccepted = isRsa ? modulusLength >= 2048 : curves.accepted.includes(namedCurve);
  return [
    ...(isAccepted
      ? []
      : [
          `tls_private_key is neither RSA with at least 2048 bits nor ${curves.title}, which are all that Google accepts for load_balancer: ${loadBalancer}`,
        ]),
    ...(leaf.checkPrivateKey(key)
      ? []
      : ["tls_private_key belongs to another certificate than the first one of tls_certificate"]),
  ];
}

function problemsOfDates(certificate: X509Certificate, index: number, now: number): string[] {
  const which = index === 0 ? "tls_certificate" : `tls_certificate's certificate ${index + 1}`;
  if (certificate.validToDate.getTime() <= now) return [`${which} has expired (${certificate.validTo})`];
  if (certificate.validFromDate.getTime() > now)
    return [`${which} is not valid before ${certificate.validFrom}`];
  return [];
}

function nameOf({ subject }: X509Certificate): string {
  return subject?.replaceAll("\n", ", ") || "no subject";
}
