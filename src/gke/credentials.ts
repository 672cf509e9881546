import { setSecret } from "@actions/core";
import type {
  AuthClient,
  AwsClientOptions,
  IdentityPoolClientOptions,
  PluggableAuthClientOptions,
} from "google-auth-library";
import * as v from "valibot";
import { retry } from "../base/async.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { type AccessToken, UNKNOWN_LIFETIME } from "./access-token.ts";
import {
  Configuration,
  type CredentialInputs,
  type CredentialSource,
  findCredentials,
  impersonatedAccount,
  noCredentials,
  projectOf,
} from "./credential-source.ts";
import { baseUrl, DEFAULT_UNIVERSE, redirected } from "./endpoints.ts";
import { type GcloudSession, gcloudSession } from "./gcloud.ts";
import { failureOf } from "./google-api.ts";
import { tokenError } from "./token-errors.ts";

/**
 * Without userinfo.email, GKE knows a service account by its numeric id, which no
 * RoleBinding by e-mail matches.
 */
const SCOPES = [
  "https://www.googleapis.com/auth/cloud-platform",
  "https://www.googleapis.com/auth/userinfo.email",
];

/** Longest wait for a token, in milliseconds, with all requests and retries. */
const TOKEN_TIMEOUT = 120_000;
/** Pauses, in milliseconds, before a token is asked for again that no server has given. */
const LOST_PAUSES_MS = [1000, 3000];

/** The response of the IAM credentials API's generateAccessToken. */
const GeneratedToken = v.object({
  accessToken: v.string(),
  expireTime: v.pipe(v.string(), v.isoTimestamp()),
});

/** The identity of this job at Google. */
export interface GoogleCredentials {
  /** Where the credentials were found, for messages. */
  description: string;
  /** The project that the job sets, else that of the credentials; undefined if neither is known. */
  projectId: string | undefined;
  /** Base of the host names of Google's services: `googleapis.com`, except on sovereign clouds. */
  universe: string;
  /** The project that pays for requests: a user's identity belongs to none. Undefined if none is set. */
  quotaProject: string | undefined;
  /** The content of a credential file; undefined for the metadata server and gcloud. */
  configuration: Configuration | undefined;
  /**
   * Fetches a new token and masks it in the job's log. Retries 429, 5xx and lost connections.
   *
   * @throws ActionError if Google refuses it
   */
  accessToken(): Promise<AccessToken>;
}

/** The variables that google-github-actions/auth sets to the project. The first that is set wins. */
const PROJECT_VARIABLES = [
  "CLOUDSDK_CORE_PROJECT",
  "CLOUDSDK_PROJECT",
  "GOOGLE_CLOUD_PROJECT",
  "GCLOUD_PROJECT",
  "GCP_PROJECT",
] as const;

/**
 * Finds the Google Cloud credentials of this job. It sends no request before a token is needed. It starts
 * gcloud only if there are no other credentials. That is why it doesn't use GoogleAuth of
 * google-auth-library, which runs gcloud to learn the project.
 *
 * @throws ActionError if there are none, or they can't be read
 */
export async function googleCredentials(
  inputs: CredentialInputs,
  environment: NodeJS.ProcessEnv,
): Promise<GoogleCredentials> {
  const source = await findCredentials(inputs, environment, () => onGoogleCloud(environment));
  const variable = PROJECT_VARIABLES.find((name) => environment[name]);
  const project = variable && environment[variable];
  if (!source) return await gcloudCredentials(project, environment);
  const quotaProject = quotaProjectOf(source.configuration, environment);
  const { configuration } = source;
  return {
    description: source.description,
    projectId: project ?? (configuration && projectOf(configuration)),
    universe: universeOf(configuration),
    quotaProject,
    configuration,
    async accessToken() {
      try {
        const token = await withinLimit(fetchPatiently(source, environment));
        setSecret(token.value);
        return token;
      } catch (error) {
        throw error instanceof ActionError ? error : tokenError(error, source);
      }
    },
  };
}

/** Uses gcloud's login. gcloud takes a second to start, so its first token is used, too. */
async function gcloudCredentials(
  project: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<GoogleCredentials> {
  let session: GcloudSession;
  try {
    session = await gcloudSession();
  } catch (error) {
    throw noCredentials(environment, messageOf(error));
  }
  let unused: AccessToken | undefined = session.token;
  return {
    description: `gcloud's login as ${session.account}`,
    projectId: project ?? session.projectId,
    universe: session.universe ?? DEFAULT_UNIVERSE,
    quotaProject: quotaProjectOf(undefined, environment) ?? session.quotaProject,
    configuration: undefined,
    async accessToken() {
      const token = unused ?? (await gcloudSession()).token;
      unused = undefined;
      setSecret(token.value);
      return token;
    },
  };
}

/** Reads the machine's own data: probing the network for a metadata server would take seconds. */
async function onGoogleCloud(environment: NodeJS.ProcessEnv): Promise<boolean> {
  if (environment.GCE_METADATA_HOST || environment.GCE_METADATA_IP) return true;
  const { gcpMetadata } = await import("google-auth-library");
  return gcpMetadata.getGCPResidency();
}

/** Fetches a token. The library gives up soon when a connection is refused. */
async function fetchPatiently(
  source: CredentialSource,
  environment: NodeJS.ProcessEnv,
): Promise<AccessToken> {
  const attempt = () =>
    fetchToken(source, environment).then(
      (token) => ({ token }),
      (error: unknown) => ({ error }),
    );
  const outcome = await retry(LOST_PAUSES_MS, attempt, (result, pauseMs) =>
    "error" in result && mayPass(result.error) ? pauseMs : undefined,
  );
  if ("error" in outcome) throw outcome.error;
  return outcome.token;
}

/** Tells whether a request got no response, or one that says that the server is in trouble. */
function mayPass(error: unknown): boolean {
  if (error instanceof ActionError) return false;
  const isLost = /ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT/.test(messageOf(error));
  return isLost || (failureOf(error).status ?? 0) >= 500;
}

async function fetchToken(source: CredentialSource, environment: NodeJS.ProcessEnv): Promise<AccessToken> {
  const { configuration } = source;
  if (configuration?.type === "impersonated_service_account") {
    return await impersonate(configuration, source, environment);
  }
  // A new client for each token: a used client returns its old token until shortly before it expires.
  const client = await authClient(source, environment);
  const { token } = await client.getAccessToken();
  if (!token) throw new Error("the response has no access token");
  return { value: token, expires: client.credentials.expiry_date ?? Date.now() + UNKNOWN_LIFETIME };
}

async function authClient(
  { configuration, description }: CredentialSource,
  environment: NodeJS.ProcessEnv,
): Promise<AuthClient> {
  const google = await import("google-auth-library");
  if (!configuration) return new google.Compute({ scopes: SCOPES });

  const universe = universeOf(configuration);
  const transporter = new google.gaxios.Gaxios();
  // The library has the URL of Google's OAuth token service built in.
  transporter.interceptors.request.add({
    resolved: async (request) => ({
      ...request,
      url: new URL(redirected(request.url.href, environment, universe)),
    }),
  });
  const quotaProject = quotaProjectOf(configuration, environment);
  const options = {
    transporter,
    universe_domain: universe,
    ...(quotaProject !== undefined && { quota_project_id: quotaProject }),
  };

  switch (configuration.type) {
    case "service_account":
      return new google.JWT({
        ...options,
        email: required(configuration, "client_email", description),
        key: required(configuration, "private_key", description),
        scopes: SCOPES,
      });
    case "authorized_user":
      return new google.UserRefreshClient({
        ...options,
        clientId: required(configuration, "client_id", description),
        clientSecret: required(configuration, "client_secret", description),
        refreshToken: required(configuration, "refresh_token", description),
      });
    case "external_account": {
      const tokenUrl = String(configuration.token_url ?? `${baseUrl("sts", environment, universe)}/token`);
      const account = {
        ...configuration,
        ...options,
        scopes: SCOPES,
        // The library sends this request with its own transporter.
        token_url: redirected(tokenUrl, environment, universe),
      };
      if (isAws(account)) return new google.AwsClient(account);
      if (isExecutable(account)) return new google.PluggableAuthClient(account);
      if (isIdentityPool(account)) return new google.IdentityPoolClient(account);
      throw new ActionError(`The external account in ${description} is incomplete.`, {
        fix: "it needs audience, subject_token_type and credential_source: `gcloud iam workload-identity-pools create-cred-config` writes them.",
      });
    }
    default:
      throw new ActionError(`Credentials of the type "${configuration.type}" are not supported.`, {
        why: `${description} holds them.`,
        fix: "use external_account (what google-github-actions/auth writes), service_account, authorized_user or impersonated_service_account.",
      });
  }
}

/** Exchanges the source's token for one of the service account: IAM credentials API, generateAccessToken. */
async function impersonate(
  configuration: Configuration,
  { description }: CredentialSource,
  environment: NodeJS.ProcessEnv,
): Promise<AccessToken> {
  const source = configuration.source_credentials;
  const account = impersonatedAccount(configuration);
  if (!v.is(Configuration, source) || !account) {
    throw new ActionError(`The impersonated service account in ${description} is incomplete.`, {
      fix: "it needs source_credentials and service_account_impersonation_url: `gcloud auth application-default login --impersonate-service-account` writes them.",
    });
  }
  // The file names the quota project beside the source, not in it.
  const { quota_project_id } = configuration;
  const own = { quota_project_id, ...source };
  const client = await authClient({ description, configuration: own }, environment);
  const { data } = await client.request<unknown>({
    url: `${baseUrl("iamcredentials", environment, universeOf(configuration))}/projects/-/serviceAccounts/${account}:generateAccessToken`,
    method: "POST",
    data: { scope: SCOPES, delegates: configuration.delegates ?? [] },
    responseType: "json",
    retryConfig: { httpMethodsToRetry: ["POST"] },
  });
  if (!v.is(GeneratedToken, data)) throw new Error("the response of generateAccessToken has no token");
  return { value: data.accessToken, expires: Date.parse(data.expireTime) };
}

function universeOf(configuration: Configuration | undefined): string {
  return String(configuration?.universe_domain ?? DEFAULT_UNIVERSE);
}

/** As in google-auth-library, which also prefers the variable (auth/googleauth.ts). */
function quotaProjectOf(
  configuration: Configuration | undefined,
  { GOOGLE_CLOUD_QUOTA_PROJECT: variable }: NodeJS.ProcessEnv,
): string | undefined {
  const own = configuration?.quota_project_id;
  return variable || (typeof own === "string" && own !== "" ? own : undefined);
}

function required(configuration: Configuration, field: string, description: string): string {
  const value = configuration[field];
  if (typeof value === "string" && value) return value;
  throw new ActionError(`The ${configuration.type} credentials in ${description} have no ${field}.`, {
    fix: "give the whole credential file as Google wrote it.",
  });
}

// The library checks the other fields of an external account and reports what is wrong.
const externalAccount = (source: v.ObjectEntries) =>
  v.object({
    audience: v.string(),
    subject_token_type: v.string(),
    credential_source: v.object(source),
  });
const ExternalAccount = externalAccount({});
const AwsAccount = externalAccount({ environment_id: v.unknown() });
const ExecutableAccount = externalAccount({ executable: v.unknown() });

function isIdentityPool(account: object): account is IdentityPoolClientOptions {
  return v.is(ExternalAccount, account);
}

function isAws(account: object): account is AwsClientOptions {
  return v.is(AwsAccount, account);
}

function isExecutable(account: object): account is PluggableAuthClientOptions {
  return v.is(ExecutableAccount, account);
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const what = `Google's token services gave no answer within ${TOKEN_TIMEOUT / 1000} s.`;
      reject(new ActionError(what, { fix: "a runner without direct access to Google needs HTTPS_PROXY." }));
    }, TOKEN_TIMEOUT);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
