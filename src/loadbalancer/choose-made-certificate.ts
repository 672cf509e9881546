import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { DAY_MS } from "../base/duration.ts";
import { info, warning } from "../base/log.ts";
import { KubernetesObject, type Secret } from "../kubernetes/objects.ts";
import { type Owner, ownerOf } from "../kubernetes/ownership.ts";
import {
  authorityIn,
  daysLeftOf,
  expiryOf,
  isIssued,
  isIssuedBy,
  isSelfSigned,
  type KeyPair,
  problemOf,
  problemOfKeyPair,
  RENEW_BEFORE_DAYS,
} from "./certificate.ts";
import type { ChosenCertificate } from "./chosen-certificate.ts";
import { makeAuthority, makeCertificate } from "./make-certificate.ts";
import { hasAuthorityFor, isConstrainedTo } from "./name-constraint.ts";
import { secretHashOf } from "./presented-certificates.ts";
import { authoritySecretName } from "./references.ts";
import { bytesIn, pairIn } from "./secret-pair.ts";

/**
 * The next authority is made when the present one has fewer days left, or a certificate without an authority.
 * Clients then have a month to take it from the output ca_certificate before the load balancer needs it.
 */
const ANNOUNCE_BEFORE_DAYS = 60;

/** The host that the certificate is for, and the Secret that keeps it. */
interface HostAndSecret {
  host: string;
  tlsSecret: string;
}

/**
 * Decides on the certificate that this action makes itself. It is renewed under the same authority: clients
 * go on trusting it. Another authority follows only if the present one can't sign the next certificate. Then
 * its key isn't here, it ends, or the certificate is its own authority, as earlier versions of this action
 * made it.
 *
 * @param now milliseconds since the epoch
 */
export async function chooseMadeCertificate(
  wanted: HostAndSecret,
  secret: Secret | undefined,
  authoritySecret: Secret | undefined,
  now: number,
): Promise<ChosenCertificate> {
  const { host, tlsSecret } = wanted;
  const authority = authoritySecret && usableAuthority(wanted, pairIn(authoritySecret), now);
  if (!secret) return await renewed(host, undefined, authority, now);
  const live = pairIn(secret);
  const owner = ownerOf(v.parse(KubernetesObject, { apiVersion: "v1", kind: "Secret", ...secret }));
  // Whoever else has an authority's certificate there renews it: it stays as long as it can be used.
  const isTheirs =
    owner.kind !== "ours" && isIssued(live.certificate) && !hasAuthorityFor(host, live.certificate);
  const soon = problemOf(live, host, now);
  const problem = isTheirs
    ? problemOf(live, host, now, { renewBefore: 0 })
    : (soon ?? problemOfOrigin(owner, live, host));
  if (problem === undefined) {
    if (soon)
      warning(`The certificate in Secret ${tlsSecret}: ${soon}. The owner of that Secret must renew it.`);
    info(`The certificate in Secret ${tlsSecret} stays: it is valid until ${expiryOf(live.certificate)}.`);
    const secretHash = secretHashOf(bytesIn(secret, "tls.crt"));
    const kept = { newPair: undefined, certificate: live.certificate, secretHash };
    return { ...kept, ...(await nextAuthority(host, live, owner, authority, now)) };
  }
  info(`The certificate in Secret ${tlsSecret} is replaced: ${problem}.`);
  // Some clients may still meet the former one while Google replaces it.
  const isStillGood =
    problemOf(live, host, now, { renewBefore: 0 }) === undefined &&
    problemOfOrigin(owner, live, host) === undefined;
  return await renewed(host, isStillGood ? live : undefined, authority, now);
}

/** Makes a certificate, and an authority unless there is one. */
async function renewed(
  host: string,
  former: KeyPair | undefined,
  present: KeyPair | undefined,
  now: number,
): Promise<ChosenCertificate> {
  const authority = present ?? (await makeAuthority(host, now));
  const newPair = await makeCertificate(host, authority, now);
  const trusted = former && authorityIn(former.certificate);
  const isMove = trusted !== undefined && trusted !== authority.certificate;
  return {
    newPair,
    newAuthority: present ? undefined : authority,
    certificate: newPair.certificate,
    authority: isMove ? authority.certificate + trusted : authority.certificate,
    move: isMove ? { from: undefined } : undefined,
    secretHash: secretHashOf(Buffer.from(newPair.certificate)),
  };
}

/** Decides what clients of a certificate that stays must trust, now and next. */
async function nextAuthority(
  host: string,
  { certificate }: KeyPair,
  owner: Owner,
  authority: KeyPair | undefined,
  now: number,
): Promise<Pick<ChosenCertificate, "newAuthority" | "authority" | "move">> {
  const leaf = new X509Certificate(certificate);
  const trusted = authorityIn(certificate);
  const isRenewable = authority && isIssuedBy(leaf, new X509Certificate(authority.certificate));
  const isFarOff = authority === undefined && daysLeftOf(leaf, now) >= ANNOUNCE_BEFORE_DAYS;
  // Whoever else keeps the Secret renews the certificate too.
  if (trusted === undefined || isRenewable || isFarOff || owner.kind === "other") {
    return { newAuthority: undefined, authority: trusted, move: undefined };
  }
  const next = authority ?? (await makeAuthority(host, now));
  const from = new Date(leaf.validToDate.getTime() - RENEW_BEFORE_DAYS * DAY_MS);
  return {
    newAuthority: authority ? undefined : next,
    authority: trusted + next.certificate,
    move: { from: from.toISOString().replace(/\.\d+Z$/, "Z") },
  };
}

/** Returns the authority if it can sign certificates for the host; logs why it can't. */
function usableAuthority(
  { host, tlsSecret }: HostAndSecret,
  pair: KeyPair,
  now: number,
): KeyPair | undefined {
  const problem = problemOfAuthority(pair, host, now);
  if (problem === undefined) return pair;
  info(`The authority in Secret ${authoritySecretName(tlsSecret)} signs no more certificates: ${problem}.`);
  return undefined;
}

function problemOfAuthority(pair: KeyPair, host: string, now: number): string | undefined {
  const problem = problemOfKeyPair(pair);
  if (problem) return problem;
  const certificate = new X509Certificate(pair.certificate);
  if (!isConstrainedTo(host, certificate)) return `it is not an authority for ${host}`;
  const days = daysLeftOf(certificate, now);
  return days < ANNOUNCE_BEFORE_DAYS ? `it expires in ${days} days` : undefined;
}

/**
 * This action can't renew a certificate from the inputs. Once the input is gone it makes its own, which is
 * self-signed or has an authority for the host alone.
 */
function problemOfOrigin(owner: Owner, { certificate }: KeyPair, host: string): string | undefined {
  const isMade = isSelfSigned(certificate) || hasAuthorityFor(host, certificate);
  return owner.kind === "ours" && !isMade
    ? "it came from the input tls_certificate, which is no longer set"
    : undefined;
}
