import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { startConnectProxy } from "../../local-gke/connect-proxy.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";

async function proxied(): Promise<{ proxy: Awaited<ReturnType<typeof startConnectProxy>>; port: number }> {
  const server = createServer((_, response) => response.end("behind the proxy"));
  const port = await listenOnFreePort(server);
  const proxy = await startConnectProxy(() => "127.0.0.1");
  onTestFinished(() => {
    proxy.stop();
    server.close();
    server.closeAllConnections();
  });
  return { proxy, port };
}

async function connectTo(proxy: string, path: string): Promise<[IncomingMessage, Socket]> {
  const { hostname: host, port } = new URL(proxy);
  const [response, socket]: [IncomingMessage, Socket] = Object(
    await once(request({ host, port, method: "CONNECT", path }).end(), "connect"),
  );
  return [response, socket];
}

test("it tunnels to a host that only it can reach, and counts", async () => {
  const { proxy, port } = await proxied();
  const [{ statusCode }, socket] = await connectTo(proxy.url, `milvus.invalid:${port}`);
  expect(statusCode).toBe(200);
  const [response]: IncomingMessage[] = await once(
    request({ createConnection: () => socket }).end(),
    "response",
  );
  expect(response && (await text(response))).toBe("behind the proxy");
  expect(proxy.connects).toEqual([`milvus.invalid:${port}`]);
});

test("it answers 502 when the host can't be reached, and 405 to anything but CONNECT", async () => {
  const { proxy } = await proxied();
  const [{ statusCode }] = await connectTo(proxy.url, "milvus.invalid:1");
  expect(statusCode).toBe(502);
  expect((await fetch(proxy.url)).status).toBe(405);
});
