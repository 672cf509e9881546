import { CertificateAuthority } from "../certificate-authority.ts";

const NAME = "C=US, O=pretended Google Trust Services, CN=local-gke public authority";
/** As Google's managed certificates. */
const LIFETIME_DAYS = 90;

/** Makes the public certificate authority of a local GKE: whoever is to trust managed certificates trusts this one. */
export function makePublicAuthority(): Promise<CertificateAuthority> {
  return CertificateAuthority.create(NAME);
}

/** Issues a managed certificate for these domains and returns it with its key, both PEM. */
export function issueManaged(
  authority: CertificateAuthority,
  domains: readonly string[],
): Promise<{ certificate: string; privateKey: string }> {
  const names = domains.map((value) => ({ type: "dns" as const, value }));
  return authority.issue({ subject: `CN=${domains[0]}`, names, days: LIFETIME_DAYS });
}
