import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import type { IssuedToken } from "../control-plane/tokens.ts";
import { type Api, type ApiAnswer, bearerToken, disabled, googleError, oauthError } from "./http.ts";
import type { Identities } from "./identities.ts";
import { readJwt, signJwt } from "./jwt.ts";

/** Issues access tokens and tracks which of them are valid. */
export class AccessTokens {
  readonly #issue: (scopes: readonly string[]) => IssuedToken;
  readonly #expiries = new Map<string, number>();

  constructor(issue: (scopes: readonly string[]) => IssuedToken) {
    this.#issue = issue;
  }

  issue(scopes: readonly string[]): IssuedToken {
    const issued = this.#issue(scopes);
    this.#expiries.set(issued.token, Date.now() + issued.expiresInSeconds * 1000);
    return issued;
  }

  accepts(token: string): boolean {
    return Date.now() < (this.#expiries.get(token) ?? 0);
  }
}

const LONGEST_ASSERTION_SECONDS = 3600;
/** What a user consents to in `gcloud auth application-default login`. */
const USER_SCOPES = [
  "openid",
  "https://www.googleapis.com/auth/userinfo.email",
  "https://www.googleapis.com/auth/cloud-platform",
];

const GenerateAccessToken = v.object({ scope: v.array(v.string()) });

/** oauth2.googleapis.com: tokens for service account keys (RFC 7523) and for users (RFC 6749, 6). */
export function oauth2(cloud: Cloud, identities: Identities, tokens: AccessTokens): Api {
  const refused = (description: string) => oauthError(400, "invalid_grant", description);
  const assertion = (jwt: string): ApiAnswer | undefined => {
    const read = readJwt(jwt, identities.serviceAccountKey.publicKey);
    if (!read) return oauthError(400, "invalid_request", "Invalid JWT.");
    const { iss, aud, iat, exp } = read.claims;
    const now = Date.now() / 1000;
    if (iss !== identities.serviceAccount) return refused("Invalid grant: account not found");
    if (!read.signed || cloud.faults.has("refuse-service-account-key")) {
      return refused("Invalid JWT Signature.");
    }
    if (aud !== "https://oauth2.googleapis.com/token") return refused("Invalid JWT: Failed audience check.");
    const expires = Number(exp);
    if (!(expires > now && expires - Number(iat) <= LONGEST_ASSERTION_SECONDS && Number(iat) < now + 300)) {
      return refused(
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
          "Check your iat and exp values in the JWT claim.",
      );
    }
    return undefined;
  };
  return ({ method, path, body }) => {
    if (method !== "POST" || path !== "/token") return googleError(404, "NOT_FOUND", "Not Found");
    const form = new URLSearchParams(body);
    const { clientId, clientSecret, refreshToken } = identities.user;
    switch (form.get("grant_type")) {
      case "urn:ietf:params:oauth:grant-type:jwt-bearer": {
        const jwt = form.get("assertion") ?? "";
        const refusal = assertion(jwt);
        if (refusal) return refusal;
        const scope = readJwt(jwt, identities.serviceAccountKey.publicKey)?.claims.scope;
        return { status: 200, body: bearer(tokens.issue(words(scope))) };
      }
      case "refresh_token":
        if (form.get("client_id") !== clientId || form.get("client_secret") !== clientSecret) {
          return oauthError(401, "invalid_client", "The OAuth client was not found.");
        }
        if (form.get("refresh_token") !== refreshToken) return refused("Token has been expired or revoked.");
        return { status: 200, body: bearer(tokens.issue(USER_SCOPES)) };
      default:
        return oauthError(400, "unsupported_grant_type", `Invalid grant_type: ${form.get("grant_type")}`);
    }
  };
}

/** sts.googleapis.com: exchanges the job's identity token for a federated access token (RFC 8693). */
export function sts(cloud: Cloud, identities: Identities, tokens: AccessTokens): Api {
  return ({ method, path, body }) => {
    if (method !== "POST" || path !== "/token") return googleError(404, "NOT_FOUND", "Not Found");
    const form = new URLSearchParams(body);
    if (form.get("audience") !== `//iam.googleapis.com/${identities.provider}`) {
      return oauthError(
        400,
        "invalid_target",
        'The target service indicated by the "audience" parameters is invalid. This might either be because ' +
          "the pool or provider is disabled or deleted or because it doesn't exist.",
      );
    }
    const identity = readJwt(form.get("subject_token") ?? "", identities.githubKey.publicKey);
    if (!identity?.signed) {
      return oauthError(400, "invalid_grant", "Unable to verify the ID Token signature.");
    }
    const { aud, exp, iat } = identity.claims;
    if (aud !== `https://iam.googleapis.com/${identities.provider}`) {
      return oauthError(
        400,
        "invalid_grant",
        `The audience in ID Token [${aud}] does not match the expected audience.`,
      );
    }
    if (Number(exp) * 1000 < Date.now() || cloud.faults.has("stale-identity-token")) {
      return oauthError(400, "invalid_grant", `ID Token issued at ${iat} is stale to sign-in.`);
    }
    if (cloud.faults.has("refuse-token-exchange")) {
      return oauthError(
        401,
        "unauthorized_client",
        "The given credential is rejected by the attribute condition.",
      );
    }
    return {
      status: 200,
      body: {
        ...bearer(tokens.issue(words(form.get("scope")))),
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      },
    };
  };
}

/** iamcredentials.googleapis.com: `generateAccessToken` of the service account. */
export function iamCredentials(cloud: Cloud, identities: Identities, tokens: AccessTokens): Api {
  return (request) => {
    const account = /^\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(request.path)?.[1];
    if (request.method !== "POST" || !account) return googleError(404, "NOT_FOUND", "Not Found");
    if (!tokens.accepts(bearerToken(request))) return unauthenticated();
    if (decodeURIComponent(account) !== identities.serviceAccount) {
      return googleError(404, "NOT_FOUND", `Not found; Gaia id not found for email ${account}`);
    }
    if (cloud.faults.has("disabled-iam-api"))
      return disabled("IAM Service Account Credentials", "iamcredentials");
    if (cloud.faults.has("refuse-impersonation")) {
      return googleError(
        403,
        "PERMISSION_DENIED",
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        "IAM_PERMISSION_DENIED",
      );
    }
    const { scope } = v.parse(GenerateAccessToken, JSON.parse(request.body));
    const { token, expiresInSeconds } = tokens.issue(scope);
    const expireTime = new Date(Date.now() + expiresInSeconds * 1000).toISOString();
    return { status: 200, body: { accessToken: token, expireTime } };
  };
}

/** GitHub's service for identity tokens of jobs, at ACTIONS_ID_TOKEN_REQUEST_URL. */
export function githubIdentityTokens(identities: Identities): Api {
  return (request) => {
    if (bearerToken(request) !== identities.requestToken) {
      return { status: 401, body: { message: "The request token is not valid." } };
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "https://token.actions.githubusercontent.com",
      sub: "repo:my-organization/my-repository:ref:refs/heads/main",
      aud: request.query.get("audience") ?? "https://github.com/my-organization",
      repository: "my-organization/my-repository",
      iat: now,
      nbf: now,
      exp: now + 300,
    };
    const value = signJwt(claims, identities.githubKey.privateKey);
    return { status: 200, body: { count: value.length, value } };
  };
}

/** The metadata server of a Compute Engine VM (GCE_METADATA_HOST): tokens of its service account. */
export function metadata(tokens: AccessTokens): Api {
  return ({ path, query, headers }) => {
    if (headers["metadata-flavor"] !== "Google") {
      return googleError(403, "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header.");
    }
    if (path !== "/instance/service-accounts/default/token") {
      return googleError(404, "NOT_FOUND", "Not Found");
    }
    const scopes = (query.get("scopes") ?? "").split(",");
    return { status: 200, body: bearer(tokens.issue(scopes)), headers: { "metadata-flavor": "Google" } };
  };
}

/** The response to an unknown or expired token. */
export function unauthenticated(): ApiAnswer {
  return googleError(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid " +
      "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
  );
}

function bearer({ token, expiresInSeconds }: IssuedToken): Record<string, unknown> {
  return { access_token: token, expires_in: expiresInSeconds, token_type: "Bearer" };
}

/** Splits a list that is separated by spaces. */
function words(text: unknown): string[] {
  return typeof text === "string" ? text.split(" ") : [];
}
