import { randomUUID } from "node:crypto";

/** An access token as Google's token endpoints hand it out. */
export interface IssuedToken {
  token: string;
  /** How long it is good for. */
  expiresInSeconds: number;
}

/** The Google service account that a workflow deploys as. */
export const DEPLOYER = "deployer@my-project.iam.gserviceaccount.com";

const HOUR_SECONDS = 3600;

/**
 * The access tokens that the stand-in for Google has issued. The API server asks for each one that it is shown
 * (webhook token authentication), so that tokens can be issued, expire and be revoked while it runs.
 */
export class Tokens {
  /** Lifetime of the tokens that are issued from now on: an hour at Google, 5 minutes for direct federation. */
  lifetimeSeconds = HOUR_SECONDS;
  readonly #expiry = new Map<string, number>();

  issue(): IssuedToken {
    const token = `ya29.local-gke-${randomUUID()}`;
    this.#expiry.set(token, Date.now() + this.lifetimeSeconds * 1000);
    return { token, expiresInSeconds: this.lifetimeSeconds };
  }

  /** From now on every token issued so far is refused. */
  revokeAll(): void {
    this.#expiry.clear();
  }

  /** Returns the answer to the API server's TokenReview. */
  review(tokenReview: unknown): object {
    const token = tokenOf(tokenReview);
    const expiry = token === undefined ? undefined : this.#expiry.get(token);
    const status =
      expiry !== undefined && Date.now() < expiry
        ? { authenticated: true, user: { username: DEPLOYER, groups: ["system:authenticated"] } }
        : { authenticated: false, error: "the token was not issued here, was revoked or has expired" };
    return { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", status };
  }
}

function tokenOf(review: unknown): string | undefined {
  if (typeof review !== "object" || review === null || !("spec" in review)) return undefined;
  const { spec } = review;
  if (typeof spec !== "object" || spec === null || !("token" in spec)) return undefined;
  return typeof spec.token === "string" ? spec.token : undefined;
}
