import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Cloud, Fault } from "../cloud.ts";
import type { IssuedToken } from "../control-plane/tokens.ts";
import { startDnsServer } from "../dns/server.ts";
import { DEFAULT_TIMING, type Timing } from "../ingress/timing.ts";
import { listenOnFreePort } from "../listen.ts";
import { compute } from "./compute.ts";
import { startConnectGateway } from "./connect-gateway.ts";
import { container, type LocalCluster } from "./container.ts";
import { cloudDns } from "./dns.ts";
import { type Api, googleError, unavailable } from "./http.ts";
import { type CredentialFiles, makeIdentities, writeCredentialFiles } from "./identities.ts";
import {
  AccessTokens,
  githubIdentityTokens,
  iamCredentials,
  metadata,
  oauth2,
  sts,
} from "./token-services.ts";

export interface GoogleApiOptions {
  cloud: Cloud;
  cluster: LocalCluster;
  /** Issues an access token with these scopes that the cluster's API server accepts. */
  issueToken: (scopes: readonly string[]) => IssuedToken;
  /** Receives the credential files. */
  directory: string;
  timing?: Timing;
}

export interface GoogleApi {
  url: string;
  /** The environment of a job after google-github-actions/auth, with endpoint overrides for this server. */
  env: Record<string, string>;
  /** Credential files of all kinds. */
  files: CredentialFiles;
  /** Full name of the workload identity provider. */
  provider: string;
  serviceAccount: string;
  /** All requests so far, e.g. `POST /sts/v1/token`. */
  requests: string[];
  /** The requests with the header X-Goog-User-Project, and its value. */
  quotaProjects: string[];
  stop(): Promise<void>;
}

/** Number of requests that fail under a fault `unavailable-...`. */
const FAILURES = 2;

/** The fault that makes an API unavailable, by base path. */
const OUTAGES: Record<string, Fault> = {
  "/container/v1": "unavailable-container-api",
  "/oauth2": "unavailable-token-services",
  "/sts/v1": "unavailable-token-services",
  "/iamcredentials/v1": "unavailable-token-services",
};

/**
 * Starts the stand-ins for Google's container, Compute, Cloud DNS, Connect gateway and token APIs, for public
 * DNS, and for GitHub's identity token service.
 */
export async function startGoogleApi(options: GoogleApiOptions): Promise<GoogleApi> {
  const { cloud, timing = DEFAULT_TIMING } = options;
  const identities = await makeIdentities(cloud.projectId);
  const tokens = new AccessTokens(options.issueToken);
  const gateway = await startConnectGateway(cloud, options.cluster, tokens, options.directory);
  const resolver = await startDnsServer(cloud.dns);
  const stopped = new AbortController();
  const apis: Record<string, Api> = {
    "/compute/v1": compute(cloud, tokens, timing, stopped.signal),
    "/dns/v1": cloudDns(cloud, tokens, timing, stopped.signal),
    "/container/v1": container(cloud, options.cluster, tokens),
    "/connectgateway/v1": gateway.api,
    "/oauth2": oauth2(cloud, identities, tokens),
    "/sts/v1": sts(cloud, identities, tokens),
    "/iamcredentials/v1": iamCredentials(cloud, identities, tokens),
    "/github/idtoken": githubIdentityTokens(identities),
    "/computeMetadata/v1": metadata(tokens),
  };

  const requests: string[] = [];
  const quotaProjects: string[] = [];
  const outages = watchOutages(cloud);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const [base, api] = Object.entries(apis).find(([prefix]) => url.pathname.startsWith(prefix)) ?? [];
    requests.push(`${request.method} ${url.pathname}`);
    const quotaProject = request.headers["x-goog-user-project"];
    if (quotaProject) quotaProjects.push(`${request.method} ${url.pathname} ${quotaProject}`);
    const body = await text(request);
    const outcome = base ? outages.next(base) : "none";
    if (outcome === "reset") {
      request.socket.destroy();
      return;
    }
    const apiAnswer =
      base === undefined || api === undefined
        ? googleError(404, "NOT_FOUND", "Not Found")
        : outcome === "503"
          ? unavailable()
          : await api({
              method: request.method ?? "GET",
              path: url.pathname.slice(base.length),
              query: url.searchParams,
              headers: request.headers,
              body,
            });
    response.writeHead(apiAnswer.status, { "content-type": "application/json", ...apiAnswer.headers });
    response.end(JSON.stringify(apiAnswer.body));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))));
  });
  const port = await listenOnFreePort(server);
  const url = `http://127.0.0.1:${port}`;
  const identityTokenUrl = `${url}/github/idtoken?api-version=2.0`;
  const files = await writeCredentialFiles(options.directory, identities, identityTokenUrl);
  return {
    url,
    env: {
      ...credentialEnvironment(files, cloud.projectId),
      ACTIONS_ID_TOKEN_REQUEST_URL: identityTokenUrl,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: identities.requestToken,
      ...endpointOverrides(url, resolver.address),
    },
    files,
    provider: identities.provider,
    serviceAccount: identities.serviceAccount,
    requests,
    quotaProjects,
    async stop() {
      stopped.abort();
      outages.stop();
      await resolver.stop();
      await gateway.stop();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Decides which requests fail while a fault `unavailable-...` is set. */
function watchOutages(cloud: Cloud): { next(base: string): "none" | "503" | "reset"; stop(): void } {
  const failures = new Map<Fault, number>();
  const rearm = (fault: Fault) => failures.delete(fault);
  cloud.on("fault", rearm);
  return {
    /** The outage that a request to an API encounters: a 503 and a connection reset in turn. */
    next(base) {
      const fault = OUTAGES[base];
      if (!fault || !cloud.faults.has(fault)) return "none";
      const seen = failures.get(fault) ?? 0;
      if (seen >= FAILURES) return "none";
      failures.set(fault, seen + 1);
      return seen % 2 === 0 ? "503" : "reset";
    },
    stop: () => void cloud.off("fault", rearm),
  };
}

/** Returns the variables that google-github-actions/auth sets. */
function credentialEnvironment(
  { federatedServiceAccount: credentials }: CredentialFiles,
  projectId: string,
): Record<string, string> {
  return {
    GOOGLE_APPLICATION_CREDENTIALS: credentials,
    GOOGLE_GHA_CREDS_PATH: credentials,
    CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: credentials,
    CLOUDSDK_CORE_PROJECT: projectId,
    CLOUDSDK_PROJECT: projectId,
    GCLOUD_PROJECT: projectId,
    GCP_PROJECT: projectId,
    GOOGLE_CLOUD_PROJECT: projectId,
  };
}

/** Returns the variables that lead the action to this server. */
function endpointOverrides(url: string, resolver: string): Record<string, string> {
  return {
    GHA_ENDPOINT_OVERRIDE_container: `${url}/container/v1`,
    GHA_ENDPOINT_OVERRIDE_compute: `${url}/compute/v1`,
    GHA_ENDPOINT_OVERRIDE_dns: `${url}/dns/v1`,
    GHA_ENDPOINT_OVERRIDE_resolver: resolver,
    GHA_ENDPOINT_OVERRIDE_connectgateway: `${url}/connectgateway/v1`,
    GHA_ENDPOINT_OVERRIDE_oauth2: `${url}/oauth2`,
    GHA_ENDPOINT_OVERRIDE_sts: `${url}/sts/v1`,
    GHA_ENDPOINT_OVERRIDE_iamcredentials: `${url}/iamcredentials/v1`,
  };
}
