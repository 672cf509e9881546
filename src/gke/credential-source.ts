import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { isMissingFile, readTextFile } from "../base/file.ts";

/** The inputs about credentials. Without them, the environment decides. */
export interface CredentialInputs {
  credentialsJson?: string | undefined;
  workloadIdentityProvider?: string | undefined;
  serviceAccount?: string | undefined;
}

/** A credential configuration, as in a credential file. */
export const Configuration = v.looseObject({ type: v.string() });
export type Configuration = v.InferOutput<typeof Configuration>;

/** Credentials that were found. */
export interface CredentialSource {
  /** Where the credentials were found, for messages, e.g. `the file in GOOGLE_APPLICATION_CREDENTIALS`. */
  description: string;
  /** Undefined for the metadata server of a runner on Google Cloud. */
  configuration: Configuration | undefined;
}

/** The variables in which google-github-actions/auth names a credential file, the most common first. */
const FILE_VARIABLES = [
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_GHA_CREDS_PATH",
  "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
] as const;

const HOW_TO_AUTHENTICATE =
  "give the job `permissions: id-token: write` and put google-github-actions/auth before this step, " +
  "or set `workload_identity_provider` or `credentials_json`.";

/**
 * Finds the credentials, in this order: the inputs, the variables that google-github-actions/auth sets, the
 * Application Default Credentials of `gcloud auth application-default login`, the metadata server on Google
 * Cloud.
 *
 * @param onGoogleCloud tells whether the runner is on Google Cloud; called only if nothing else is found
 * @returns undefined if there are none
 * @throws ActionError if the named credentials can't be read
 */
export async function findCredentials(
  inputs: CredentialInputs,
  environment: NodeJS.ProcessEnv,
  onGoogleCloud: () => Promise<boolean>,
): Promise<CredentialSource | undefined> {
  if (inputs.credentialsJson) {
    const description = "the input `credentials_json`";
    return { description, configuration: parseConfiguration(inputs.credentialsJson, description) };
  }
  if (inputs.workloadIdentityProvider) {
    return {
      description: `the workload identity provider ${inputs.workloadIdentityProvider}`,
      configuration: workloadIdentityConfiguration(
        inputs.workloadIdentityProvider,
        inputs.serviceAccount,
        environment,
      ),
    };
  }
  for (const variable of FILE_VARIABLES) {
    const path = environment[variable];
    if (path) return await readCredentialFile(path, variable);
  }
  const path = applicationDefaultCredentials(environment);
  try {
    const description = `the Application Default Credentials (${path})`;
    return { description, configuration: parseConfiguration(readTextFile(path), description) };
  } catch (error) {
    if (!isMissingFile(error)) throw error;
  }
  if (await onGoogleCloud()) {
    return { description: "the metadata server of this machine", configuration: undefined };
  }
  return undefined;
}

/**
 * Returns the error for a job without credentials.
 *
 * @param gcloud why gcloud has none, as a sentence
 */
export function noCredentials(environment: NodeJS.ProcessEnv, gcloud: string): ActionError {
  const path = applicationDefaultCredentials(environment);
  return new ActionError("There are no Google Cloud credentials.", {
    why: `no input gives any, ${FILE_VARIABLES.join(", ")} are not set, there is no ${path}, and gcloud has none: ${gcloud}`,
    fix: HOW_TO_AUTHENTICATE,
  });
}

/**
 * Returns the project of a configuration: that of the key, else that in the e-mail address of the
 * impersonated service account.
 */
export function projectOf(configuration: Configuration): string | undefined {
  if (typeof configuration.project_id === "string") return configuration.project_id;
  const account = impersonatedAccount(configuration);
  return /@([^.]+)\.iam\.gserviceaccount\.com$/.exec(account ?? "")?.[1];
}

/** Returns the e-mail address of the service account that a configuration impersonates, if any. */
export function impersonatedAccount(configuration: Configuration): string | undefined {
  const url = String(configuration.service_account_impersonation_url ?? "");
  return /serviceAccounts\/([^/:]+):generateAccessToken$/.exec(url)?.[1];
}

/** Returns an external account configuration for this GitHub job, as google-github-actions/auth writes it. */
function workloadIdentityConfiguration(
  provider: string,
  serviceAccount: string | undefined,
  environment: NodeJS.ProcessEnv,
): Configuration {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = environment;
  if (!url || !token) {
    throw new ActionError("This job can't get an identity token from GitHub.", {
      why: "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set.",
      fix: "add `permissions: id-token: write` to the job. A pull request from a fork never gets one.",
    });
  }
  const requestUrl = new URL(url);
  requestUrl.searchParams.set("audience", `https://iam.googleapis.com/${provider}`);
  return {
    type: "external_account",
    audience: `//iam.googleapis.com/${provider}`,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: "https://sts.googleapis.com/v1/token",
    credential_source: {
      url: requestUrl.href,
      headers: { Authorization: `Bearer ${token}` },
      format: { type: "json", subject_token_field_name: "value" },
    },
    ...(serviceAccount && {
      service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`,
    }),
  };
}

async function readCredentialFile(path: string, variable: string): Promise<CredentialSource> {
  const description = `the file in ${variable} (${path})`;
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw new ActionError(`The credential file ${path}, named by ${variable}, can't be read.`, {
      why: messageOf(error),
      fix: "put actions/checkout before google-github-actions/auth: it removes the file that auth wrote to the workspace.",
      cause: error,
    });
  }
  return { description, configuration: parseConfiguration(text, description) };
}

function parseConfiguration(text: string, description: string): Configuration {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which is a secret.
    throw new ActionError(`${capitalized(description)} is not JSON.`, {
      fix: "give the whole credential file as Google wrote it, with its braces. Don't re-indent or cut the text of a secret.",
    });
  }
  if (!v.is(Configuration, parsed)) {
    const names = v.is(v.looseObject({}), parsed) ? Object.keys(parsed) : [];
    throw new ActionError(`${capitalized(description)} is not a credential configuration.`, {
      why: `it has no "type", only: ${names.join(", ") || "nothing"}.`,
      fix: HOW_TO_AUTHENTICATE,
    });
  }
  return parsed;
}

function applicationDefaultCredentials(environment: NodeJS.ProcessEnv): string {
  const directory =
    environment.CLOUDSDK_CONFIG ||
    (process.platform === "win32" && environment.APPDATA
      ? join(environment.APPDATA, "gcloud")
      : join(environment.HOME || homedir(), ".config", "gcloud"));
  return join(directory, "application_default_credentials.json");
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
