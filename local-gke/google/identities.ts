import { generateKeyPair, type KeyObject } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The made-up identities of the pretended project, and what proves them. */
export interface Identities {
  projectId: string;
  provider: string;
  serviceAccount: string;
  serviceAccountKey: KeyPair;
  /** What GitHub signs identity tokens with. */
  githubKey: KeyPair;
  /** What a job shows to GitHub to get an identity token. */
  requestToken: string;
  user: { clientId: string; clientSecret: string; refreshToken: string };
}

interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** The credential files that a user may have, by kind: absolute paths. */
export interface CredentialFiles {
  /** What google-github-actions/auth writes with `service_account`. */
  federatedServiceAccount: string;
  /** What google-github-actions/auth writes without. */
  directFederation: string;
  serviceAccountKey: string;
  authorizedUser: string;
  impersonatedServiceAccount: string;
}

export async function makeIdentities(projectId: string): Promise<Identities> {
  const newKey = () => promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const [serviceAccountKey, githubKey] = await Promise.all([newKey(), newKey()]);
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

/** Writes the credential files (mode 0600) with the URLs that Google's own have. */
export async function writeCredentialFiles(
  directory: string,
  identities: Identities,
  identityTokenUrl: string,
): Promise<CredentialFiles> {
  const { projectId, provider, serviceAccount, user } = identities;
  const impersonationUrl = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`;
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
  await mkdir(directory, { recursive: true });
  const write = async (name: string, content: object): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, JSON.stringify(content, null, 2), { mode: 0o600 });
    return path;
  };
  return {
    federatedServiceAccount: await write("gha-creds-0123456789abcdef.json", {
      ...directFederation,
      service_account_impersonation_url: impersonationUrl,
    }),
    directFederation: await write("gha-creds-fedcba9876543210.json", directFederation),
    serviceAccountKey: await write("service-account-key.json", {
      type: "service_account",
      project_id: projectId,
      private_key_id: "0123456789abcdef0123456789abcdef01234567",
      private_key: identities.serviceAccountKey.privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: serviceAccount,
      client_id: "100000000000000000001",
      auth_uri: "https://accounts.google.com/o/oauth2/auth",
      token_uri: "https://oauth2.googleapis.com/token",
      universe_domain: "googleapis.com",
    }),
    authorizedUser: await write("authorized-user.json", authorizedUser),
    impersonatedServiceAccount: await write("impersonated-service-account.json", {
      type: "impersonated_service_account",
      delegates: [],
      service_account_impersonation_url: impersonationUrl,
      source_credentials: authorizedUser,
    }),
  };
}
