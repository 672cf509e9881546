import { generateKeyPair, type KeyObject } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The identities of the simulated project, and their secrets. */
export interface Identities {
  projectId: string;
  provider: string;
  serviceAccount: string;
  serviceAccountKey: KeyPair;
  /** GitHub signs identity tokens with it. */
  githubKey: KeyPair;
  /** A job authenticates with it when it requests an identity token from GitHub. */
  requestToken: string;
  user: { clientId: string; clientSecret: string; refreshToken: string };
}

interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export const CREDENTIAL_KINDS = [
  /** google-github-actions/auth writes it with `service_account`. */
  "federatedServiceAccount",
  /** google-github-actions/auth writes it without `service_account`. */
  "directFederation",
  "serviceAccountKey",
  "authorizedUser",
  "impersonatedServiceAccount",
] as const;

/** The absolute path of a credential file of each kind. */
export type CredentialFiles = Record<(typeof CREDENTIAL_KINDS)[number], string>;

/** The same for every project of this process: the two take a quarter of a second to make. */
let keys: Promise<[KeyPair, KeyPair]> | undefined;

/** Makes the keys and secrets of a project's accounts. */
export async function makeIdentities(projectId: string): Promise<Identities> {
  const newKey = () => promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  keys ??= Promise.all([newKey(), newKey()]);
  const [serviceAccountKey, githubKey] = await keys;
  return {
    projectId,
    provider: "projects/123456789012/locations/global/workloadIdentityPools/github/providers/my-repository",
    serviceAccount: `deployer@${projectId}.iam.gserviceaccount.com`,
    serviceAccountKey,
    githubKey,
    requestToken: "request-token-of-this-job",
    user: {
      clientId: "123456789012-user.apps.googleusercontent.com",
      clientSecret: "client-secret-of-gcloud",
      refreshToken: "1//refresh-token-of-a-user",
    },
  };
}

/** The files that {@link writeCredentialFiles} writes. */
export function credentialFilesIn(directory: string): CredentialFiles {
  return {
    federatedServiceAccount: join(directory, "gha-creds-0123456789abcdef.json"),
    directFederation: join(directory, "gha-creds-fedcba9876543210.json"),
    serviceAccountKey: join(directory, "service-account-key.json"),
    authorizedUser: join(directory, "authorized-user.json"),
    impersonatedServiceAccount: join(directory, "impersonated-service-account.json"),
  };
}

/** Writes the credential files, mode 0600, with Google's real URLs. */
export async function writeCredentialFiles(
  directory: string,
  identities: Identities,
  identityTokenUrl: string,
): Promise<CredentialFiles> {
  const { projectId, provider, serviceAccount, user } = identities;
  const impersonationUrl =
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" +
    `${serviceAccount}:generateAccessToken`;
  const directFederation = {
    universe_domain: "googleapis.com",
    type: "external_account",
    audience: `//iam.googleapis.com/${provider}`,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: "https://sts.googleapis.com/v1/token",
    credential_source: {
      url: `${identityTokenUrl}&audience=${encodeURIComponent(`https://iam.googleapis.com/${provider}`)}`,
      headers: { Authorization: `Bearer ${identities.requestToken}` },
      format: { type: "json", subject_token_field_name: "value" },
    },
  };
  const authorizedUser = {
    type: "authorized_user",
    client_id: user.clientId,
    client_secret: user.clientSecret,
    refresh_token: user.refreshToken,
    universe_domain: "googleapis.com",
  };
  const contents: Record<keyof CredentialFiles, object> = {
    federatedServiceAccount: { ...directFederation, service_account_impersonation_url: impersonationUrl },
    directFederation,
    serviceAccountKey: {
      type: "service_account",
      project_id: projectId,
      private_key_id: "0123456789abcdef0123456789abcdef01234567",
      private_key: identities.serviceAccountKey.privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: serviceAccount,
      client_id: "100000000000000000001",
      auth_uri: "https://accounts.google.com/o/oauth2/auth",
      token_uri: "https://oauth2.googleapis.com/token",
      universe_domain: "googleapis.com",
    },
    authorizedUser,
    impersonatedServiceAccount: {
      type: "impersonated_service_account",
      delegates: [],
      service_account_impersonation_url: impersonationUrl,
      source_credentials: authorizedUser,
    },
  };
  const files = credentialFilesIn(directory);
  await mkdir(directory, { recursive: true });
  await Promise.all(
    CREDENTIAL_KINDS.map((kind) =>
      writeFile(files[kind], JSON.stringify(contents[kind], null, 2), { mode: 0o600 }),
    ),
  );
  return files;
}
