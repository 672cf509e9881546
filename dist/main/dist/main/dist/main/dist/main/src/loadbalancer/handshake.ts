import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { pause } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { openTunnel, proxyFor, targetOf } from "../base/https-proxy.ts";
import { withProgress } from "../base/progress.ts";
import { describeServedCertificate } from "../base/served-certificate.ts";

/**
 * Signature algorithms to offer, one kind of key at a time. With two certificates for a host, the load
 * balancer may present either one that the client accepts. Offering one kind at a time finds both.
 */
const OFFERS = ["RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256"];
/** Longest wait for one handshake, in milliseconds. */
const HANDSHAKE_MS = 10_000;
const PAUSE_MS = 1000;

/**
 * Waits until a load balancer presents a publicly trusted certificate for `host`, beside any other.
 *
 * @param address `host:port` to dial
 * @param limit milliseconds
 * @param environment names the proxy to go through
 * @throws ActionError at the limit, with the error of the last handshake
 */
export async function waitForTrustedCertificate(
  address: string,
  host: string,
  limit: number,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const proxy = proxyFor(targetOf(address), environment);
  const giveUp = performance.now() + limit;
  let last = "no answer yet";
  await withProgress(
    () => `waiting for Google's certificate to be presented at ${address} for ${host}: ${last}`,
    async () => {
      for (;;) {
        const errors = await Promise.all(
          OFFERS.map((offer) => handshakeError(address, host, offer, proxy, signal)),
        );
        if (errors.includes(undefined)) return;
        signal.throwIfAborted();
        last = [...new Set(errors)].join("; ");
        if (performance.now() >= giveUp) {
          const served = await describeServedCertificate(address, host, proxy, signal);
          throw notPresented(address, host, limit, `${last}; ${served}`);
        }
        await pause(PAUSE_MS, signal);
      }
    },
    limit,
  );
}

/** Connects as any TLS client does. Returns why that fails, undefined if it succeeds. */
async function handshakeError(
  address: string,
  host: string,
  sigalgs: string,
  proxy: URL | undefined,
  cancelled: AbortSignal,
): Promise<string | undefined> {
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(HANDSHAKE_MS)]);
  const target = targetOf(address);
  let socket: TLSSocket | undefined;
  try {
    const way = proxy ? { socket: await openTunnel(proxy, target, signal) } : target;
    socket = connect({ ...way, servername: host, sigalgs });
    await once(socket, "secureConnect", { signal });
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    socket?.destroy();
  }
}

function notPresented(address: string, host: string, limit: number, why: string): ActionError {
  return new ActionError(
    `The certificate that Google has issued for ${host} is not presented at ${address} after ${formatDuration(limit)}.`,
    {
      why,
      fix: "Google may need half an hour: run again, or raise certificate_presented_timeout. Until then the load balancer serves the former certificate, or none. If the runner can't reach the load balancer, set verify_address, or verify: false.",
    },
  );
}
