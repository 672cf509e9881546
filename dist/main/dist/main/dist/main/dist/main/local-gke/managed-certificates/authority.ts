import { CertificateAuthority, type KeyPair } from "../certificate-authority.ts";

const NAME = "C=US, O=simulated Google Trust Services, CN=local-gke public authority";
/** As for Google's managed certificates. */
const LIFETIME_DAYS = 90;

/** Creates the CA that issues the managed certificates of a local GKE. */
export function makePublicAuthority(): Promise<CertificateAuthority> {
  return CertificateAuthority.create(NAME);
}

export function issueManaged(authority: CertificateAuthority, domains: readonly string[]): Promise<KeyPair> {
  const names = domains.map((value) => ({ type: "dns" as const, value }));
  return authority.issue({ subject: `CN=${domains[0]}`, names, days: LIFETIME_DAYS });
}
