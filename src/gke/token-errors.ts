import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { type CredentialSource, impersonatedAccount } from "./credential-source.ts";
import { type Failure, failureOf } from "./google-api.ts";

interface KnownTokenError {
  /** Its anchor in docs/troubleshooting.md. */
  id: string;
  /** The server's words, for that page. */
  says: string;
  /** Matches the server's reason and text. */
  pattern: RegExp;
  what: string;
  fix: string;
}

/** Errors of Google's token services, and what they mean to the author of a workflow. */
export const TOKEN_ERRORS: readonly KnownTokenError[] = [
  {
    id: "attribute-condition",
    says: "rejected by the attribute condition",
    pattern: /rejected by the attribute condition/,
    what: "The workload identity provider doesn't accept this workflow.",
    fix: "compare the provider's attribute condition with this run's repository, owner, branch and environment, capitals included: `gcloud iam workload-identity-pools providers describe`.",
  },
  {
    id: "no-identity-provider",
    says: 'Invalid value for "audience"',
    pattern: /invalid_target|Invalid value for "audience"/,
    what: "There is no such workload identity provider.",
    fix: "check workload_identity_provider: projects/<project NUMBER>/locations/global/workloadIdentityPools/<pool>/providers/<provider>; a new or restored one needs a few minutes.",
  },
  {
    id: "token-audience",
    says: "The audience in ID Token ... does not match",
    pattern: /audience in ID Token .*does not match/i,
    what: "The workload identity provider doesn't accept the audience of this job's identity token.",
    fix: "remove the provider's allowed audiences, or set the same audience in google-github-actions/auth.",
  },
  {
    id: "runner-clock",
    says: "stale to sign-in",
    pattern: /stale to sign-in|reasonable timeframe|issued in the future|too far in the (past|future)/i,
    what: "The runner's clock is wrong: Google refuses the time in the credentials.",
    fix: "synchronize the clock of the runner (NTP).",
  },
  {
    id: "identity-api-off",
    says: "SERVICE_DISABLED",
    pattern: /SERVICE_DISABLED|has not been used in project/,
    what: "An API that these credentials need is not enabled.",
    fix: "enable it: `gcloud services enable iamcredentials.googleapis.com sts.googleapis.com`.",
  },
  {
    id: "impersonation",
    says: "iam.serviceAccounts.getAccessToken denied",
    pattern: /iam\.serviceAccounts\.getAccessToken/,
    what: "The credentials may not act as {account}.",
    fix: "grant roles/iam.workloadIdentityUser on that service account to the workload identity pool's principalSet (to another service account or a user: roles/iam.serviceAccountTokenCreator).",
  },
  {
    id: "no-service-account",
    says: "Gaia id not found",
    pattern: /Gaia id not found|account not found|NOT_FOUND/i,
    what: "There is no {account}.",
    fix: "check the e-mail address of the service account; it may have been deleted.",
  },
  {
    id: "key-invalid",
    says: "Invalid JWT Signature",
    pattern: /Invalid JWT Signature/,
    what: "The service account key is not valid: it was deleted, disabled, or has expired.",
    fix: "make a new key, or better use workload identity federation, which needs none.",
  },
  {
    id: "login-ended",
    says: "Token has been expired or revoked",
    pattern: /expired or revoked|invalid_rapt|reauth/i,
    what: "The user's login has ended.",
    fix: "log in again with `gcloud auth application-default login`; for a pipeline use workload identity federation.",
  },
  {
    id: "key-not-pem",
    says: "DECODER routines::unsupported",
    pattern: /DECODER|PEM routines|asymmetric key/i,
    what: "The private_key of the service account key is not a PEM key.",
    fix: "give the key file as Google wrote it: the line breaks in private_key are written as \\n.",
  },
];

/** Returns the error for a failed token request: what it means, Google's own text, what to change. */
export function tokenError(error: unknown, source: CredentialSource): ActionError {
  const failure = failureOf(error);
  const from = failure.url ? `${failure.url} answered ${failure.status ?? "nothing"}: ` : "";
  const details = { why: from + failure.text, cause: error };

  if (failure.status === 429 || (failure.status ?? 0) >= 500 || lostConnection(failure)) {
    return new ActionError(`No token could be fetched with ${source.description}, even after retries.`, {
      ...details,
      fix: "run the job again. A runner without direct access to Google needs HTTPS_PROXY.",
    });
  }
  if (failure.url !== undefined && failure.url === identityTokenUrl(source)) {
    return new ActionError("GitHub refused to issue this job an identity token.", {
      ...details,
      fix: "add `permissions: id-token: write` to the job. A token request is valid only while its job runs.",
    });
  }
  const known = TOKEN_ERRORS.find(({ pattern }) => pattern.test(`${failure.reason ?? ""} ${failure.text}`));
  const account = (source.configuration && describeAccount(source.configuration)) ?? "service account";
  return new ActionError(
    known?.what.replace("{account}", account) ?? `Google refused ${source.description}.`,
    {
      ...details,
      symptom: known?.id,
      fix: known?.fix ?? "check these credentials, or replace them by google-github-actions/auth.",
    },
  );
}

function lostConnection(failure: Failure): boolean {
  return failure.status === undefined && failure.url !== undefined;
}

/** An external account whose token comes from a URL, as of google-github-actions/auth. */
const UrlSourced = v.looseObject({ credential_source: v.object({ url: v.string() }) });

function identityTokenUrl({ configuration }: CredentialSource): string | undefined {
  return v.is(UrlSourced, configuration) ? configuration.credential_source.url.split("?")[0] : undefined;
}

function describeAccount(configuration: Parameters<typeof impersonatedAccount>[0]): string | undefined {
  const account = impersonatedAccount(configuration) ?? configuration.client_email;
  return typeof account === "string" ? `service account ${account}` : undefined;
}
