import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";

/** Longest wait for one handshake, in milliseconds. */
const LIMIT_MS = 10_000;
/** Between the end of one handshake and the start of the next, in milliseconds. */
const PAUSE_MS = 10;

/**
 * Makes a TLS connection to port 443, trusting anybody, and returns the certificates that were
 * presented, the host's own first.
 *
 * @throws Error when there is no handshake
 */
export async function handshake(address: string, host: string): Promise<X509Certificate[]> {
  const socket = connect({ host: address, port: 443, servername: host, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(LIMIT_MS) });
    const chain: X509Certificate[] = [];
    let next = socket.getPeerX509Certificate();
    for (; next && !chain.some(({ raw }) => next?.raw.equals(raw)); next = next.issuerCertificate)
      chain.push(next);
    return chain;
  } finally {
    socket.destroy();
  }
}

/** What a series of handshakes has seen. */
export interface Watched {
  made: number;
  /** What went wrong, each once. */
  failures: string[];
  /** SHA-256 fingerprints of the certificates that were presented, in the order in which they came up. */
  presented: string[];
}

/**
 * Makes one handshake after the other until it is stopped; each must present a
 * certificate that is good for the host.
 */
export function watchHandshakes(address: string, host: string): { stop(): Promise<Watched> } {
  const failures = new Set<string>();
  const presented = new Set<string>();
  let made = 0;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      try {
        const [certificate] = await handshake(address, host);
        if (!certificate?.checkHost(host, { subject: "never" })) failures.add(`for ${certificate?.subject}`);
        else if (certificate.validToDate.getTime() < Date.now()) failures.add("expired");
        else presented.add(certificate.fingerprint256);
      } catch (error) {
        failures.add(String(error));
      }
      made += 1;
      await delay(PAUSE_MS);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return { made, failures: [...failures], presented: [...presented] };
    },
  };
}
