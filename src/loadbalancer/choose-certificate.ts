import { warning } from "@actions/core";
import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";
import { KubernetesObject, type Secret } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import { certificatesIn, expiryOf, isSelfSigned, type KeyPair, problemOf } from "./certificate.ts";
import { makeCertificate } from "./make-certificate.ts";
import { sslCertificateMatchesHost } from "./pre-shared-certificates.ts";
import { secretHashOf } from "./references.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** What the load balancer is to present, as far as it is known beforehand. */
export interface ChosenCertificate {
  /** To be put into the Secret; undefined when it holds it, or the certificate is at Google. */
  newPair: KeyPair | undefined;
  /** PEM; undefined for one that Google makes. */
  certificate: string | undefined;
  /** Of what the Secret has or gets in `tls.crt`; undefined when the certificate is at Google. */
  secretHash: string | undefined;
}

/**
 * Decides which certificate the load balancer presents. One that this action has made is kept while it is good.
 *
 * @param secret the one of the name that is set, as it is
 * @param sslCertificates those at Google that are to be presented
 * @throws ActionError when the user's own won't do
 */
export async function chooseCertificate(
  {
    certificate: wanted,
    host,
    tlsSecret,
    namespace,
  }: Pick<LoadBalancerSettings, "certificate" | "tlsSecret"> & { host: string; namespace: string },
  secret: Secret | undefined,
  sslCertificates: readonly SslCertificate[] | undefined,
): Promise<ChosenCertificate> {
  const now = Date.now();
  const live = secret && pairIn(secret);
  switch (wanted.kind) {
    case "google-managed":
      return { newPair: undefined, certificate: undefined, secretHash: undefined };
    case "pre-shared":
      return {
        newPair: undefined,
        certificate: sslCertificates && presentedFor(host, sslCertificates),
        secretHash: undefined,
      };
    case "secret": {
      if (!secret || !live) throw noSecret(namespace, tlsSecret);
      refuseMissingKeys(secret, `${namespace}/${tlsSecret}`);
      refuseUnusable(live, host, `${namespace}/${tlsSecret}`, now);
      return {
        newPair: undefined,
        certificate: live.certificate,
        secretHash: secretHashOf(bytesOf(secret, "tls.crt")),
      };
    }
    case "self-managed": {
      if (wanted.given) return given(wanted.given, live, tlsSecret, secret);
      const problem = live && (problemOf(live, host, now) ?? problemOfOrigin(secret, live));
      if (secret && live && !problem) {
        info(`The certificate in Secret ${tlsSecret} stays: it is good until ${expiryOf(live.certificate)}.`);
        return {
          newPair: undefined,
          certificate: live.certificate,
          secretHash: secretHashOf(bytesOf(secret, "tls.crt")),
        };
      }
      if (problem) info(`The certificate in Secret ${tlsSecret} is replaced: ${problem}.`);
      return fresh(await makeCertificate(host, now));
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
    return fresh(pair);
  }
  info(`Secret ${tlsSecret} holds the certificate of the input tls_certificate.`);
  return {
    newPair: undefined,
    certificate: live.certificate,
    secretHash: secretHashOf(bytesOf(secret, "tls.crt")),
  };
}

function fresh(pair: KeyPair): ChosenCertificate {
  return {
    newPair: pair,
    certificate: certificatesIn(pair.certificate),
    secretHash: secretHashOf(Buffer.from(pair.certificate)),
  };
}

/** Returns those of the certificates at Google that are presented for a host, of which any may be. */
function presentedFor(host: string, sslCertificates: readonly SslCertificate[]): string | undefined {
  const fitting = sslCertificates.filter((sslCertificate) => sslCertificateMatchesHost(sslCertificate, host));
  return (
    fitting.map(({ certificate = "" }) => certificate && `${certificate.trim()}\n`).join("") || undefined
  );
}

/** What was given once is not renewed here: the certificate that is made in its stead begins when it is given no more. */
function problemOfOrigin(secret: Secret, { certificate }: KeyPair): string | undefined {
  const { kind } = ownerOf(v.parse(KubernetesObject, { apiVersion: "v1", kind: "Secret", ...secret }));
  return kind === "ours" && !isSelfSigned(certificate)
    ? "it is of the input tls_certificate, which is not set any more"
    : undefined;
}

function pairIn(secret: Secret): KeyPair {
  const text = (key: string) => bytesOf(secret, key).toString();
  return { certificate: certificatesIn(text("tls.crt")), privateKey: text("tls.key") };
}

function bytesOf(secret: Secret, key: string): Buffer {
  return Buffer.from(secret.data[key] ?? "", "base64");
}

function noSecret(namespace: string, name: string): ActionError {
  return new ActionError(`There is no Secret ${namespace}/${name}; nothing was changed.`, {
    why: "certificate: secret presents the certificate of a Secret that is there already.",
    fix: "set tls_secret to the Secret's name, or create it first (kubectl create secret tls), or set certificate: self-managed to have one made.",
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

/** One that somebody else renews is no concern of ours until it is of no use. */
function refuseUnusable(pair: KeyPair, host: string, secret: string, now: number): void {
  const problem = problemOf(pair, host, now, { renewBefore: 0 });
  if (problem) {
    throw new ActionError(`The certificate in Secret ${secret} can't be used; nothing was changed.`, {
      why: `${problem}.`,
      fix: "put a certificate for the host, with its key, into tls.crt and tls.key of that Secret, or name another one with tls_secret.",
    });
  }
  const soon = problemOf(pair, host, now);
  if (soon) warning(`The certificate in Secret ${secret}: ${soon}. Whoever keeps that Secret must renew it.`);
}
