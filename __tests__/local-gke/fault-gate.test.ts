import { createServer, get, type IncomingMessage, type RequestListener } from "node:http";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type Gate, startGate } from "../../local-gke/faults/gate.ts";
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
