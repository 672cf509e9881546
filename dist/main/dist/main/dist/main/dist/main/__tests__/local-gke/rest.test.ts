import { expect, onTestFinished, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { isAttu, startAttu } from "../../local-gke/milvus/attu.ts";
import { proxyConfig } from "../../local-gke/milvus/config.ts";
import { restServer } from "../../local-gke/milvus/rest.ts";

const PATH = "/v2/vectordb/collections/list";

test.each([
  { authorizationEnabled: true, token: undefined, status: 401 },
  { authorizationEnabled: true, token: "root:wrong", status: 401 },
  { authorizationEnabled: true, token: "root:Milvus", status: 404 },
  { authorizationEnabled: false, token: undefined, status: 404 },
])(
  "REST with authorizationEnabled: $authorizationEnabled answers the token $token with $status",
  async ({ authorizationEnabled, token, status }) => {
    const config = proxyConfig([JSON.stringify({ common: { security: { authorizationEnabled } } })]);
    const server = restServer(config, undefined);
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${await listenOnFreePort(server)}${PATH}`;
    const headers = { connection: "close", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(url, { method: "POST", headers, body: "{}" });
    expect(answer.status).toBe(status);
    const text = await answer.text();
    if (status === 401)
      expect(JSON.parse(text)).toEqual({ code: 1800, message: "user hasn't authenticated" });
  },
);

test("Attu serves its page at port 3000", async () => {
  const attu = await startAttu();
  onTestFinished(() => attu.close());
  const answer = await fetch(`http://127.0.0.1:${attu.ports.get(3000)}/`, {
    headers: { connection: "close" },
  });
  expect({ status: answer.status, text: await answer.text() }).toEqual({
    status: 200,
    text: "<title>Attu</title>",
  });
});

test.each([
  ["zilliz/attu:v2.6", true],
  ["registry.example.com/zilliz/attu@sha256:1", true],
  ["milvusdb/milvus:v2.6.15", false],
])("%s is Attu: %s", (image, expected) => {
  expect(isAttu(image)).toBe(expected);
});
