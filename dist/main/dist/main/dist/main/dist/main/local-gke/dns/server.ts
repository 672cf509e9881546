import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { listenOnFreePort } from "../listen.ts";
import { answer } from "./message.ts";
import type { DnsRecords } from "./records.ts";

export interface DnsServer {
  /** `127.0.0.1:PORT`, for UDP and TCP. */
  address: string;
  stop(): Promise<void>;
}

/** Maximum message lengths without extensions (RFC 1035, 4.2). */
const UDP_BYTES = 512;
const TCP_BYTES = 65_535;

const HOST = "127.0.0.1";

/** Starts a DNS server that responds from the current records as a recursive resolver does. */
export async function startDnsServer(records: DnsRecords): Promise<DnsServer> {
  const connections = new Set<Socket>();
  const { tcp, udp, port } = await bind(() =>
    createServer((socket) => {
      connections.add(socket);
      socket.once("close", () => connections.delete(socket));
      serveStream(socket, records);
    }),
  );
  udp.on("message", (query, from) => {
    const reply = answer(query, records, UDP_BYTES);
    if (reply) udp.send(reply, from.port, from.address);
  });
  const end = async () => {
    const closed = Promise.all([once(udp, "close"), once(tcp, "close")]);
    udp.close();
    tcp.close();
    for (const connection of connections) connection.destroy();
    await closed;
  };
  let ended: Promise<void> | undefined;
  return {
    address: `${HOST}:${port}`,
    stop() {
      ended ??= end();
      return ended;
    },
  };
}

/** Binds TCP and UDP sockets to the same port. */
async function bind(newServer: () => Server): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  for (;;) {
    const tcp = newServer();
    const port = await listenOnFreePort(tcp);
    const udp = createSocket("udp4").bind(port, HOST);
    try {
      await once(udp, "listening");
      return { tcp, udp, port };
    } catch (error) {
      tcp.close();
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
}

/** Answers the queries of a connection. A length precedes each message (RFC 1035, 4.2.2). */
function serveStream(socket: Socket, records: DnsRecords): void {
  let received = Buffer.alloc(0);
  // A client may disconnect at any time.
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const length = received.length < 2 ? undefined : received.readUInt16BE(0);
      if (length === undefined || received.length < 2 + length) return;
      const reply = answer(received.subarray(2, 2 + length), records, TCP_BYTES);
      received = received.subarray(2 + length);
      if (!reply) {
        socket.destroy();
        return;
      }
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([prefix, reply]));
    }
  });
}
