import { randomUUID } from "node:crypto";

/** A Google access token. */
export interface IssuedToken {
  token: string;
  expiresInSeconds: number;
}

/** The Google service account that a workflow deploys as. */
export const DEPLOYER = "deployer@my-project.iam.gserviceaccount.com";

/** Its unique id. GKE knows the account by it if the token has no scope for the e-mail address. */
export const DEPLOYER_ID = "100000000000000000001";

const EMAIL_SCOPE = "https://www.googleapis.com/auth/userinfo.email";

export const HOUR_SECONDS = 3600;

/**
 * The access tokens that the stand-in for Google has issued. The API server reviews every token it receives
 * by webhook token authentication, so tokens can be issued, expire and be revoked while it runs.
 */
export class Tokens {
  /** Lifetime of new tokens. Google: an hour; 5 minutes for direct federation. */
  lifetimeSeconds = HOUR_SECONDS;
  readonly #issued = new Map<string, { expiry: number; username: string }>();

  /** @param scopes OAuth scopes of the token */
  issue(scopes: readonly string[]): IssuedToken {
    const token = `ya29.local-gke-${randomUUID()}`;
    const expiry = Date.now() + this.lifetimeSeconds * 1000;
    this.#issued.set(token, { expiry, username: scopes.includes(EMAIL_SCOPE) ? DEPLOYER : DEPLOYER_ID });
    return { token, expiresInSeconds: this.lifetimeSeconds };
  }

  revokeAll(): void {
    this.#issued.clear();
  }

  /** Responds to a TokenReview of the API server. */
  review(tokenReview: unknown): object {
    const token = tokenOf(tokenReview);
    const issued = token === undefined ? undefined : this.#issued.get(token);
    const status =
      issued !== undefined && Date.now() < issued.expiry
        ? { authenticated: true, user: { username: issued.username, groups: ["system:authenticated"] } }
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
