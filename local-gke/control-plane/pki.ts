import { generateKeyPairSync } from "node:crypto";
import { CertificateAuthority } from "../certificate-authority.ts";

/** What the control plane proves itself with; everything is PEM. */
export interface Pki {
  /** The certificate authority, which `clusters.get` hands out as `masterAuth.clusterCaCertificate`. */
  caCertificate: string;
  servingCertificate: string;
  servingKey: string;
  /** Signs service account tokens. */
  serviceAccountKey: string;
}

/** Makes a new certificate authority and what it signs, valid for a year. */
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
    // The API server reads both halves from this one file, but only when it is SEC 1 rather than PKCS #8.
    serviceAccountKey: generateKeyPairSync("ec", { namedCurve: "P-256" })
      .privateKey.export({ type: "sec1", format: "pem" })
      .toString(),
  };
}
