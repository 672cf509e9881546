import type { KeyPair } from "./certificate.ts";

/** The certificate that the load balancer will present, as far as the plan can know it. */
export interface ChosenCertificate {
  /** To write into the Secret; undefined if the Secret already holds it, or the certificate is at Google. */
  newPair: KeyPair | undefined;
  /** An authority that this run makes, to write into a Secret of its own. */
  newAuthority: KeyPair | undefined;
  /** PEM: the chain; undefined for a Google-managed certificate. */
  certificate: string | undefined;
  /** PEM: what clients of a self-managed certificate must trust; undefined if they trust it by themselves. */
  authority: string | undefined;
  /** When clients need another authority; undefined if none is to come. */
  move: AuthorityMove | undefined;
  /** Hash of the Secret's `tls.crt` after this run; undefined if the certificate is at Google. */
  secretHash: string | undefined;
}

/**
 * A change of the authority that clients must trust. {@link ChosenCertificate.authority} holds both from the
 * announcement until the run of the move.
 */
export interface AuthorityMove {
  /**
   * When the load balancer presents a certificate of the other authority, RFC 3339; undefined for this run.
   */
  from: string | undefined;
}
