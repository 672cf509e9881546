import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, request } from "node:https";
import { join } from "node:path";
import { pipeline } from "node:stream";
import type { Cloud } from "../cloud.ts";
import { makePki } from "../control-plane/pki.ts";
import { listenOnFreePort } from "../listen.ts";
import { type LocalCluster, membershipOf } from "./container.ts";
import { type Api, bearerToken, disabled, googleError } from "./http.ts";
import { type AccessTokens, unauthenticated } from "./token-services.ts";

export interface ConnectGateway {
  /** connectgateway.googleapis.com: `generateCredentials` of the cluster's membership. */
  api: Api;
  stop(): Promise<void>;
}

const PROJECT_NUMBER = "123456789012";

/**
 * Starts the stand-in for Connect gateway on a loopback port. It streams requests below the membership's path
 * to the API server. `connect-gateway-ca.crt` receives the CA of its certificate; Google's gateway uses a
 * public CA.
 */
export async function startConnectGateway(
  cloud: Cloud,
  cluster: LocalCluster,
  tokens: AccessTokens,
  directory: string,
): Promise<ConnectGateway> {
  const membership = membershipOf(cluster, cloud.projectId);
  const path = membership
    .replace(cloud.projectId, PROJECT_NUMBER)
    .replace("/memberships/", "/gkeMemberships/");
  const pki = await makePki();
  await writeFile(join(directory, "connect-gateway-ca.crt"), pki.caCertificate);

  const server = createServer({ cert: pki.servingCertificate, key: pki.servingKey }, (incoming, outgoing) => {
    const prefix = `/v1/${path}`;
    if (!incoming.url?.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const [host, apiServerPort] = cluster.endpoint.split(":");
    const onward = request({
      host,
      port: Number(apiServerPort),
      ca: cluster.caCertificatePem,
      method: incoming.method,
      path: incoming.url.slice(prefix.length),
      headers: { ...incoming.headers, host: cluster.endpoint },
    });
    onward.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      pipeline(answer, outgoing, () => onward.destroy());
    });
    pipeline(incoming, onward, (error) => {
      if (error) outgoing.destroy();
    });
  });
  const port = await listenOnFreePort(server);
  const endpoint = `https://127.0.0.1:${port}/v1/${path}`;

  return {
    api: (call) => {
      if (!tokens.accepts(bearerToken(call))) return unauthenticated();
      const [, name] = /^\/(.+):generateCredentials$/.exec(call.path) ?? [];
      if (call.method !== "GET" || !name) return googleError(404, "NOT_FOUND", "Not Found");
      if (cloud.faults.has("disabled-connect-gateway")) return disabled("Connect Gateway", "connectgateway");
      if (cloud.faults.has("refuse-connect-gateway")) {
        return googleError(
          403,
          "PERMISSION_DENIED",
          "Permission 'gkehub.gateway.generateCredentials' denied on resource " +
            `'//gkehub.googleapis.com/${name}' (or it may not exist).`,
          "IAM_PERMISSION_DENIED",
        );
      }
      if (name !== membership) {
        return googleError(404, "NOT_FOUND", `Resource '${name}' was not found`);
      }
      return { status: 200, body: { endpoint } };
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
