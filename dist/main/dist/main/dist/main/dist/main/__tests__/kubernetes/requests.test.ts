import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import type { KubectlProxy } from "../../src/kubernetes/proxy.ts";
import { sendRequest } from "../../src/kubernetes/requests.ts";

type Answer = (response: ServerResponse) => void;

const REFUSED = "dial tcp 127.0.0.1:6443: connect: connection refused";
const gone: Answer = (response) => response.writeHead(502).end(`${REFUSED}\n`);
const hangUp: Answer = (response) => response.destroy();
const breakOff: Answer = (response) => response.write("{", () => response.destroy());
const good: Answer = (response) => response.end("{}");

/** What the server answers, one request after the other. */
let answers: Answer[] = [];
const server = createServer((_, response) => answers.shift()?.(response));
let port = 0;
let away: string[] = [];
beforeAll(async () => {
  port = await listenOnFreePort(server);
});
beforeEach(() => {
  away = [];
});
afterAll(() => server.close());

const proxy: KubectlProxy = {
  end: undefined,
  send: (method, path, { signal }) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, method, path, signal, agent: false }, resolve).on("error", reject).end();
    }),
  close: async () => {},
};

function send(hasAnswered: boolean) {
  const onAway = (why: string) => away.push(why);
  return sendRequest(proxy, "GET", "/", {}, { hasAnswered, onAway });
}

test.each([
  ["can't be reached", gone, REFUSED],
  ["hangs up", hangUp, "socket hang up"],
  ["breaks off", breakOff, "aborted"],
])("an API server that %s is asked again if it has answered before", async (_, answer, why) => {
  answers = [answer, good];
  expect(await send(true)).toEqual({ code: 200, body: "{}" });
  expect(away).toEqual([why]);
});

test("an API server that has never answered isn't waited for", async () => {
  answers = [gone];
  expect(await send(false)).toEqual({ code: 502, body: `${REFUSED}\n` });
  answers = [hangUp];
  await expect(send(false)).rejects.toThrow("The cluster's API server does not answer.\nWhy: socket hang up");
  expect(away).toEqual([]);
});
