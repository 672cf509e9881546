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

/** The certificate that the load balancer will present, as far as the plan can know it. */
export interface ChosenCertificate {
  /** To write into the Secret; undefined if the Secret already holds it, or the certificate is at Google. */
  newPair: KeyPair | undefined;
  /** PEM; undefined for a Google-managed certificate. */
  certificate: string | undefined;
  /** Hash of the Secret's `tls.crt` after this run; undefined if the certificate is at Google. */
  secretHash: string | undefined;
}

/**
 * Decides which certificate the load balancer presents. A certificate made by this action stays until it
 * expires soon.
 *
 * @param secret the live Secret that `tls_secret` names
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
        info(
          `The certificate in Secret ${tlsSecret} stays: it is valid until ${expiryOf(live.certificate)}.`,
        );
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

/** Returns the PEM of the pre-shared certificates for a host. The load balancer may present any of them. */
function presentedFor(host: string, sslCertificates: readonly SslCertificate[]): string | undefined {
  const fitting = sslCertificates.filter((sslCertificate) => sslCertificateMatchesHost(sslCertificate, host));
  return (
    fitting.map(({ certificate = "" }) => certificate && `${certificate.trim()}\n`).join("") || undefined
  );
}

/** This action can't renew a certificate from the inputs. Once the input is gone it makes its own. */
function problemOfOrigin(secret: Secret, { certificate }: KeyPair): string | undefined {
  const { kind } = ownerOf(v.parse(KubernetesObject, { apiVersion: "v1", kind: "Secret", ...secret }));
  return kind === "ours" && !isSelfSigned(certificate)
    ? "it came from the input tls_certificate, which is no longer set"
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
