import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ActionError } from "../base/errors.ts";
import type { AccessToken } from "./access-token.ts";
import { type Cluster, type EndpointChoice, lookUpCluster } from "./cluster.ts";
import type { CredentialInputs } from "./credential-source.ts";
import { type GoogleCredentials, googleCredentials } from "./credentials.ts";
import { type Kubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import { keepTokenFile } from "./token-file.ts";

/** A connection to a GKE cluster. */
export interface Connection {
  cluster: Cluster;
  /** For further requests to Google. */
  credentials: GoogleCredentials;
  /** The token that the cluster's look-up used. */
  token: AccessToken;
  kubeconfig: Kubeconfig;
  /** Path of a file with the credentials from the inputs; undefined if they came from the environment. */
  credentialsFile: string | undefined;
  /** Ends the renewal of the token. */
  stop(): void;
}

/**
 * Finds the job's Google credentials and writes a kubeconfig for a GKE cluster. Its token is renewed until
 * stopped.
 *
 * @param wanted `projectId` defaults to the credentials' own
 * @param directory for kubeconfig and token, from `privateDirectory`
 * @param warn gets a message when a renewal fails
 * @throws ActionError if the credentials or the cluster can't be used
 */
export async function connectToCluster(
  wanted: {
    projectId: string | undefined;
    location: string;
    name: string;
    endpoint: EndpointChoice;
    fleetMembership?: string | undefined;
  },
  credentialInputs: CredentialInputs,
  directory: string,
  environment: NodeJS.ProcessEnv,
  warn: (message: string) => void,
): Promise<Connection> {
  const credentials = await googleCredentials(credentialInputs, environment);
  const projectId = wanted.projectId ?? credentials.projectId;
  if (!projectId) {
    throw new ActionError(`The project of the cluster ${wanted.name} is not known.`, {
      why: `${credentials.description} names none, and GOOGLE_CLOUD_PROJECT is not set.`,
      fix: "set the input project_id.",
    });
  }
  const token = await credentials.accessToken();
  const cluster = await lookUpCluster({ projectId, location: wanted.location, name: wanted.name }, wanted, {
    environment,
    universe: credentials.universe,
    quotaProject: credentials.quotaProject,
    token: token.value,
  });
  const tokenFile = join(directory, "token");
  const kubeconfig = await writeKubeconfig(cluster, directory, tokenFile);
  const { stop } = keepTokenFile(tokenFile, token, () => credentials.accessToken(), warn);
  return {
    cluster,
    credentials,
    token,
    kubeconfig,
    credentialsFile: await writeCredentials(credentials, credentialInputs, directory),
    stop,
  };
}

async function writeCredentials(
  { configuration }: GoogleCredentials,
  { credentialsJson, workloadIdentityProvider }: CredentialInputs,
  directory: string,
): Promise<string | undefined> {
  if (!configuration || (credentialsJson === undefined && workloadIdentityProvider === undefined))
    return undefined;
  const path = join(directory, "credentials.json");
  await writeFile(path, JSON.stringify(configuration), { mode: 0o600 });
  return path;
}
