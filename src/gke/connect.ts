import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ActionError } from "../base/errors.ts";
import type { AccessToken } from "./access-token.ts";
import { type Cluster, type EndpointChoice, lookUpCluster } from "./cluster.ts";
import type { CredentialInputs } from "./credential-source.ts";
import { type GoogleCredentials, googleCredentials } from "./credentials.ts";
import { type Kubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import { keepTokenFile } from "./token-file.ts";

export interface Connection {
  cluster: Cluster;
  /** The credentials, for other questions to Google. */
  credentials: GoogleCredentials;
  /** The token that the cluster was looked up with. */
  token: AccessToken;
  kubeconfig: Kubeconfig;
  /** Path of a file with the credentials that came by inputs; undefined when the job had them already. */
  credentialsFile: string | undefined;
  /** Ends the renewal of the token. */
  stop(): void;
}

/**
 * Goes from the job's Google credentials to a kubeconfig for a GKE cluster, whose token is renewed until stopped.
 *
 * @param wanted `projectId` undefined: the credentials' own
 * @param directory where kubeconfig and token are put, from `privateDirectory`
 * @param warn is told when a renewal fails
 * @throws ActionError when credentials or cluster won't do
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
