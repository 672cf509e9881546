import { generateKeyPairSync } from "node:crypto";
import { CertificateAuthority } from "../certificate-authority.ts";

/** Certificates and keys of the control plane, all PEM. */
export interface Pki {
  /** `clusters.get` returns it as `masterAuth.clusterCaCertificate`. */
  caCertificate: string;
  servingCertificate: string;
  servingKey: string;
  /** Signs service account tokens. */
  serviceAccountKey: string;
}

/** Creates a certificate authority and the certificates it signs, valid for a year. */
export async function makePki(): Promise<Pki> {
  const authority = await CertificateAuthority.create("CN=local-gke");
  const serving = await authority.issue({
    subject: "CN=kube-apiserver",
    names: [
      { type: "ip", value: "127.0.0.1" },
      { type: "dns", value: "localhost" },
      { type: "dns", value: "kubernetes.default.svc" },
    ],
    days: 365,
  });
  return {
    caCertificate: authority.certificate,
    servingCertificate: serving.certificate,
    servingKey: serving.privateKey,
    // The API server reads both keys from this one file, but only in SEC 1 format, not PKCS #8.
    serviceAccountKey: generateKeyPairSync("ec", { namedCurve: "P-256" })
      .privateKey.export({ type: "sec1", format: "pem" })
      .toString(),
  };
}
