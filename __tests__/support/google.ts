import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Cloud, type Fault } from "../../local-gke/cloud.ts";
import { type GoogleApi, startGoogleApi } from "../../local-gke/google/api.ts";
import { googleCredentials } from "../../src/gke/credentials.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";

/** The cluster that the stand-in has. */
export const CLUSTER = { projectId: "my-project", location: "us-central1", name: "my-cluster" };

export interface Google extends GoogleApi {
  cloud: Cloud;
  /** A job's environment without anything of this machine. */
  environment: NodeJS.ProcessEnv;
  /** The value of the last token issued. */
  lastToken(): string;
  /** The scopes of the last token issued. */
  lastScopes(): readonly string[];
}

/** Starts a stand-in for Google's APIs that ends with the test. */
export async function startGoogle(
  options: { faults?: Fault[]; members?: Record<string, unknown>; expiresInSeconds?: number } = {},
): Promise<Google> {
  const directory = await temporaryDirectory();
  const cloud = new Cloud("127.0.0");
  for (const fault of options.faults ?? []) cloud.setFault(fault, true);
  let issued = 0;
  let lastScopes: readonly string[] = [];
  const api = await startGoogleApi({
    cloud,
    cluster: {
      name: CLUSTER.name,
      location: CLUSTER.location,
      endpoint: "192.0.2.1",
      caCertificatePem: "-----BEGIN CERTIFICATE-----",
      version: "1.35.4-gke.100",
      members: options.members ?? {},
    },
    issueToken(scopes) {
      issued += 1;
      lastScopes = scopes;
      return { token: `ya29.token-${issued}`, expiresInSeconds: options.expiresInSeconds ?? 3600 };
    },
    directory,
  });
  onTestFinished(() => api.stop());
  return {
    ...api,
    cloud,
    environment: { HOME: directory, RUNNER_TEMP: directory, ...api.env },
    lastToken: () => `ya29.token-${issued}`,
    lastScopes: () => lastScopes,
  };
}

/** Returns the stand-in's project with a token that the stand-in has issued. */
export async function projectOf({ environment }: Google): Promise<GoogleProject> {
  const credentials = await googleCredentials({}, environment);
  const { value } = await credentials.accessToken();
  return {
    projectId: CLUSTER.projectId,
    universe: "googleapis.com",
    environment,
    accessToken: async () => value,
    signal: new AbortController().signal,
  };
}

/** Makes a directory that is removed when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "gke-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
