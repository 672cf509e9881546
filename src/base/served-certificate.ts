import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { messageOf } from "./errors.ts";
import { openTunnel, targetOf } from "./https-proxy.ts";

/** Longest wait for a handshake, in milliseconds. */
const HANDSHAKE_MS = 10_000;

/**
 * Returns which certificate a server presents, whether or not anybody trusts it, in half a sentence: for
 * which names, by whom, until when. Where none can be seen, it says why.
 *
 * @param address `host:port` to dial
 * @param host sent as SNI
 */
export async function describeServedCertificate(
  address: string,
  host: string,
  proxy: URL | undefined,
  cancelled: AbortSignal,
): Promise<string> {
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(HANDSHAKE_MS)]);
  const target = targetOf(address);
  let socket: TLSSocket | undefined;
  try {
    const way = proxy ? { socket: await openTunnel(proxy, target, signal) } : target;
    // The certificate is only described: nothing is sent through this connection.
    socket = connect({ ...way, servername: host, rejectUnauthorized: false });
    await once(socket, "secureConnect", { signal });
    const certificate = socket.getPeerX509Certificate();
    return certificate ? describeCertificate(certificate) : "the server presents no certificate";
  } catch (error) {
    return `the certificate can't be looked at (${messageOf(error)})`;
  } finally {
    socket?.destroy();
  }
}

/** Returns half a sentence about a certificate. */
export function describeCertificate(certificate: X509Certificate): string {
  const { subjectAltName, subject, issuer, validToDate } = certificate;
  const oneLine = (name: string) => name.replaceAll("\n", ", ") || "nobody";
  const names = subjectAltName ?? `${oneLine(subject ?? "")}, without subject alternative names`;
  return `the certificate presented is for ${names}, issued by ${oneLine(issuer)}, valid until ${validToDate.toISOString()}`;
}
