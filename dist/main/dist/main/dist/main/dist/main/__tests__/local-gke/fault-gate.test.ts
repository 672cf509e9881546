import { once } from "node:events";
import { createServer, get, type IncomingMessage, type RequestListener } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type Gate, startGate } from "../../local-gke/faults/gate.ts";
import { startWire } from "../../local-gke/faults/wire.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";

async function gated(handle: RequestListener): Promise<Gate> {
  const server = createServer(handle);
  const gate = await startGate(`http://127.0.0.1:${await listenOnFreePort(server)}`);
  onTestFinished(async () => {
    await gate.close();
    server.close();
    server.closeAllConnections();
  });
  return gate;
}

/** Asks over a new connection. */
async function ask(gate: Gate): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(gate.url, { agent: false }, resolve).on("error", reject);
  });
  return response.statusCode === 200 ? text(response) : String(response.statusCode);
}

test("a gate fails as it is asked to, and passes requests on again", async () => {
  const gate = await gated((_, response) => response.end("behind the gate"));
  expect(await ask(gate)).toBe("behind the gate");
  gate.respond(429);
  expect(await ask(gate)).toBe("429");
  await gate.shut();
  await expect(ask(gate)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await gate.open();
  expect(await ask(gate)).toBe("behind the gate");
});

test("a gate that is cut ends the requests under way, and no later ones", async () => {
  const arrived = Promise.withResolvers<void>();
  let requests = 0;
  const gate = await gated((_, response) => {
    requests += 1;
    // Only the first request waits for ever.
    if (requests > 1) response.end("behind the gate");
    arrived.resolve();
  });
  const waiting = expect(ask(gate)).rejects.toMatchObject({ code: "ECONNRESET" });
  await arrived.promise;
  gate.cut();
  await waiting;
  expect(await ask(gate)).toBe("behind the gate");
});

/** Opens a connection. What arrives is in `received`. */
function dial(address: string): { socket: Socket; received: string[] } {
  const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const received: string[] = [];
  socket.setEncoding("utf8").on("data", (text: string) => received.push(text));
  return { socket, received };
}

test("a wire that is lost passes nothing on and ends nothing; later connections are whole", async () => {
  const echo = createTcpServer((socket) => void socket.pipe(socket));
  const port = await listenOnFreePort(echo);
  const wire = await startWire();
  onTestFinished(async () => {
    await wire.close();
    echo.close();
  });
  wire.lead(`127.0.0.1:${port}`);
  const lost = dial(wire.address);
  lost.socket.write("before");
  await expect.poll(() => lost.received).toEqual(["before"]);
  wire.lose();
  lost.socket.write("after");
  const later = dial(wire.address);
  later.socket.write("later");
  await expect.poll(() => later.received).toEqual(["later"]);
  expect(lost.received).toEqual(["before"]);
  expect(lost.socket.closed).toBe(false);
});

test("a wire without a target ends each connection", async () => {
  const wire = await startWire();
  onTestFinished(() => wire.close());
  const { socket, received } = dial(wire.address);
  await once(socket, "close");
  expect(received).toEqual([]);
});
