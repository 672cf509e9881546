import { DAY_MS } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";
import type { Secret } from "../kubernetes/objects.ts";
import { authorityIn, certificatesIn, type KeyPair, problemOf, RENEW_BEFORE_DAYS } from "./certificate.ts";
import { chooseMadeCertificate } from "./choose-made-certificate.ts";
import type { ChosenCertificate } from "./chosen-certificate.ts";
import { sslCertificateMatchesHost } from "./pre-shared-certificates.ts";
import { secretHashOf } from "./presented-certificates.ts";
import { bytesIn, pairIn } from "./secret-pair.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** What is the same for all certificates that somebody else makes. */
const NOT_MADE = { newPair: undefined, newAuthority: undefined, authority: undefined, move: undefined };

/** The live Secrets that hold what this action makes. */
export interface CertificateSecrets {
  /** The Secret that tls_secret names, whoever made it. */
  tlsSecret: Secret | undefined;
  /** The Secret with the authority that signs this action's own certificate. */
  authoritySecret: Secret | undefined;
}

/**
 * Decides which certificate the load balancer presents. A certificate made by this action stays until it
 * expires soon.
 *
 * @param secrets the live Secret that `tls_secret` names, and that of its authority
 * @param sslCertificates the pre-shared certificates, from Google
 * @throws ActionError if the certificate in the user's Secret can't be used
 */
export async function chooseCertificate(
  {
    certificate: wanted,
    host,
    tlsSecret,
    namespace,
  }: Pick<LoadBalancerSettings, "certificate" | "tlsSecret"> & { host: string; namespace: string },
  { tlsSecret: secret, authoritySecret }: CertificateSecrets,
  sslCertificates: readonly SslCertificate[] | undefined,
): Promise<ChosenCertificate> {
  const now = Date.now();
  const live = secret && pairIn(secret);
  switch (wanted.kind) {
    case "google-managed":
      return { ...NOT_MADE, certificate: undefined, secretHash: undefined };
    case "pre-shared":
      warnOfPreShared(sslCertificates ?? [], now);
      return {
        ...NOT_MADE,
        certificate: sslCertificates && presentedFor(host, sslCertificates),
        secretHash: undefined,
      };
    case "secret": {
      if (!secret || !live) throw noSecret(namespace, tlsSecret);
      refuseMissingKeys(secret, `${namespace}/${tlsSecret}`);
      refuseUnusable(live, host, `${namespace}/${tlsSecret}`, now);
      return {
        ...NOT_MADE,
        // cert-manager keeps the authority beside the chain.
        certificate: live.certificate + certificatesIn(bytesIn(secret, "ca.crt").toString()),
        secretHash: secretHashOf(bytesIn(secret, "tls.crt")),
      };
    }
    case "self-managed": {
      if (wanted.given) {
        const soon = problemOf(wanted.given, host, now);
        if (soon) warning(`The certificate of the input tls_certificate: ${soon}. Give a newer one in time.`);
        return given(wanted.given, live, tlsSecret, secret);
      }
      return await chooseMadeCertificate({ host, tlsSecret }, secret, authoritySecret, now);
    }
  }
}

function given(
  pair: KeyPair,
  live: KeyPair | undefined,
  tlsSecret: string,
  secret: Secret | undefined,
): ChosenCertificate {
  const isThere =
    live?.certificate === certificatesIn(pair.certificate) && live.privateKey === pair.privateKey;
  if (!isThere || !secret) {
    info(`The certificate of the input tls_certificate goes into Secret ${tlsSecret}.`);
    const certificate = certificatesIn(pair.certificate);
    return {
      ...NOT_MADE,
      newPair: pair,
      certificate,
      authority: authorityIn(certificate),
      secretHash: secretHashOf(Buffer.from(pair.certificate)),
    };
  }
  info(`Secret ${tlsSecret} holds the certificate of the input tls_certificate.`);
  return {
    ...NOT_MADE,
    certificate: live.certificate,
    authority: authorityIn(live.certificate),
    secretHash: secretHashOf(bytesIn(secret, "tls.crt")),
  };
}

/** Returns the PEM of the pre-shared certificates for a host. The load balancer may present any of them. */
function presentedFor(host: string, sslCertificates: readonly SslCertificate[]): string | undefined {
  const fitting = sslCertificates.filter((sslCertificate) => sslCertificateMatchesHost(sslCertificate, host));
  return (
    fitting.map(({ certificate = "" }) => certificate && `${certificate.trim()}\n`).join("") || undefined
  );
}

function noSecret(namespace: string, name: string): ActionError {
  return new ActionError(`There is no Secret ${namespace}/${name}; nothing was changed.`, {
    why: "certificate: secret uses a Secret that already exists.",
    fix: "set tls_secret to the Secret's name, or create it first (kubectl create secret tls), or set certificate: self-managed to have this action make one.",
  });
}

function refuseMissingKeys({ data }: Secret, secret: string): void {
  const missing = ["tls.crt", "tls.key"].filter((key) => !data[key]);
  if (missing.length === 0) return;
  throw new ActionError(`Secret ${secret} holds no certificate with its key; nothing was changed.`, {
    why: `it lacks ${missing.join(" and ")}; it has ${Object.keys(data).join(", ") || "nothing"}.`,
    fix: "put the certificate chain (PEM) into tls.crt and its private key into tls.key of that Secret, whatever its type, or name another one with tls_secret.",
  });
}

/** Whoever owns the Secret renews the certificate. This action refuses it only once it can't be used. */
function refuseUnusable(pair: KeyPair, host: string, secret: string, now: number): void {
  const problem = problemOf(pair, host, now, { renewBefore: 0 });
  if (problem) {
    throw new ActionError(`The certificate in Secret ${secret} can't be used; nothing was changed.`, {
      why: `${problem}.`,
      fix: "put a certificate for the host, with its key, into tls.crt and tls.key of that Secret, or name another one with tls_secret.",
    });
  }
  const soon = problemOf(pair, host, now);
  if (soon) warning(`The certificate in Secret ${secret}: ${soon}. The owner of that Secret must renew it.`);
}

/** Google renews those that it manages itself. */
function warnOfPreShared(sslCertificates: readonly SslCertificate[], now: number): void {
  for (const { name, managed, expireTime = "" } of sslCertificates) {
    const days = Math.floor((Date.parse(expireTime) - now) / DAY_MS);
    if (managed || !(days < RENEW_BEFORE_DAYS)) continue;
    warning(
      `The pre-shared certificate ${name} expires in ${days} days. Make a newer one at Google, and name it in time.`,
    );
  }
}
