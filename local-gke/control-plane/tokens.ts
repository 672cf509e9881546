import { randomUUID } from "node:crypto";

/** A Google access token. */
export interface IssuedToken {
  token: string;
  expiresInSeconds: number;
}

/** The Google service account that a workflow deploys as. */
export const DEPLOYER = "deployer@my-project.iam.gserviceaccount.com";

const HOUR_SECONDS = 3600;

/**
 * The access tokens that the stand-in for Google has issued. The API server reviews every token it receives
 * by webhook token authentication, so tokens can be issued, expire and be revoked while it runs.
 */
export class Tokens {
  /** Lifetime of new tokens. Google: an hour; 5 minutes for direct federation. */
  lifetimeSeconds = HOUR_SECONDS;
  readonly #expiry = new Map<string, number>();

  issue(): IssuedToken {
    const token = `ya29.local-gke-${randomUUID()}`;
    this.#expiry.set(token, Date.now() + this.lifetimeSeconds * 1000);
    return { token, expiresInSeconds: this.lifetimeSeconds };
  }

  revokeAll(): void {
    this.#expiry.clear();
  }

  /** Responds to a TokenReview of the API server. */
  review(tokenReview: unknown): object {
    const token = tokenOf(tokenReview);
    const expiry = token === undefined ? undefined : this.#expiry.get(token);
    const status =
      expiry !== undefined && Date.now() < expiry
        ? { authenticated: true, user: { username: DEPLOYER, groups: ["system:authenticated"] } }
        : { authenticated: false, error: "the token was not issued here, is revoked or has expired" };
    return { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", status };
  }
}

function tokenOf(review: unknown): string | undefined {
  if (typeof review !== "object" || review === null || !("spec" in review)) return undefined;
  const { spec } = review;
  if (typeof spec !== "object" || spec === null || !("token" in spec)) return undefined;
  return typeof spec.token === "string" ? spec.token : undefined;
}
