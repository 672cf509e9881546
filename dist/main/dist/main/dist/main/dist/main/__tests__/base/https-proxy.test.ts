import { once } from "node:events";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { startConnectProxy } from "../../local-gke/connect-proxy.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { nameOf, openTunnel, ProxyRefusal, proxyFor, targetOf } from "../../src/base/https-proxy.ts";

const PROXY = "http://proxy.example.com:3128";

test.each([
  ["203.0.113.7:443", { host: "203.0.113.7", port: 443 }],
  ["milvus.example.com:8443", { host: "milvus.example.com", port: 8443 }],
  ["[2001:db8::7]:443", { host: "2001:db8::7", port: 443 }],
])("targetOf(%s)", (address, target) => {
  expect(targetOf(address)).toEqual(target);
});

describe("proxyFor", () => {
  const target = { host: "203.0.113.7", port: 443 };

  test.each<[string, NodeJS.ProcessEnv, string | undefined]>([
    ["no variable", {}, undefined],
    ["HTTPS_PROXY", { HTTPS_PROXY: PROXY }, `${PROXY}/`],
    ["https_proxy", { https_proxy: PROXY }, `${PROXY}/`],
    ["both: the lower-case one", { https_proxy: PROXY, HTTPS_PROXY: "http://other" }, `${PROXY}/`],
    ["a proxy for plain HTTP", { http_proxy: PROXY, HTTP_PROXY: PROXY, grpc_proxy: PROXY }, undefined],
    ["a proxy without scheme", { HTTPS_PROXY: "proxy.example.com:3128" }, `${PROXY}/`],
    ["an empty variable", { HTTPS_PROXY: "" }, undefined],
  ])("with %s", (_, environment, expected) => {
    expect(proxyFor(target, environment)?.href).toBe(expected);
  });

  test.each(["https://proxy.example.com", "socks5://proxy.example.com", "http://"])(
    "%s is refused",
    (url) => {
      expect(() => proxyFor(target, { HTTPS_PROXY: url })).toThrow(
        "HTTPS_PROXY is not the URL of a proxy that this action can use.\nWhat to do: set it to http://HOST:PORT, or list 203.0.113.7 in NO_PROXY.",
      );
    },
  );

  test.each(["localhost", "127.0.0.1", "127.20.0.1", "::1"])("%s needs none", (host) => {
    expect(proxyFor({ host, port: 443 }, { HTTPS_PROXY: PROXY })).toBeUndefined();
  });

  test.each<[host: string, exceptions: string, isExcepted: boolean]>([
    ["milvus.example.com", "*", true],
    ["milvus.example.com", "milvus.example.com", true],
    ["MILVUS.example.com", "Milvus.Example.com", true],
    ["milvus.example.com", "example.com", true],
    ["milvus.example.com", ".example.com", true],
    ["milvus.example.com", "*.example.com", true],
    ["example.com", ".example.com", false],
    ["example.com", "*.example.com", false],
    ["notexample.com", "example.com", false],
    ["milvus.example.com", "other.com, example.com", true],
    ["milvus.example.com", "other.com,,", false],
    ["milvus.example.com", "example.com:443", true],
    ["milvus.example.com", "example.com:8443", false],
    ["10.128.0.7", "10.128.0.7", true],
    ["10.128.0.7", "10.128.0.7:443", true],
    ["10.128.0.7", "10.128.0.7:80", false],
    ["10.128.0.7", "10.0.0.0/8", true],
    ["10.128.0.7", "192.168.0.0/16", false],
    ["10.128.0.7", "10.0.0.0/99", false],
    ["10.128.0.7", "8.0.7", false],
    ["2001:db8::7", "2001:db8::/32", true],
    ["2001:db8::7", "2001:db8::7", true],
    ["2001:db8::7", "[2001:db8::7]:443", true],
    ["2001:db8::7", "10.0.0.0/8", false],
  ])("%s with NO_PROXY=%s", (host, exceptions, isExcepted) => {
    const found = proxyFor({ host, port: 443 }, { HTTPS_PROXY: PROXY, NO_PROXY: exceptions });
    expect(found === undefined).toBe(isExcepted);
    expect(proxyFor({ host, port: 443 }, { https_proxy: PROXY, no_proxy: exceptions })).toEqual(found);
  });
});

describe("openTunnel", () => {
  const { signal } = new AbortController();
  const target = { host: "milvus.invalid", port: 443 };

  test("connects to what only the proxy can reach", async () => {
    const server = createServer((_, response) => response.end("behind the proxy"));
    const port = await listenOnFreePort(server);
    const proxy = await startConnectProxy(() => "127.0.0.1");
    onTestFinished(() => {
      proxy.stop();
      server.close();
    });
    const socket = await openTunnel(new URL(proxy.url), { ...target, port }, signal);
    socket.end("GET / HTTP/1.1\r\nHost: milvus.invalid\r\nConnection: close\r\n\r\n");
    expect(String((await once(socket, "data"))[0])).toContain("behind the proxy");
    expect(proxy.connects).toEqual([`milvus.invalid:${port}`]);
  });

  test("sends the proxy's login, and a refusal doesn't show it", async () => {
    let login: string | undefined;
    const proxy = createServer().on("connect", ({ headers }, socket: Socket) => {
      login = headers["proxy-authorization"];
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    const port = await listenOnFreePort(proxy);
    onTestFinished(() => void proxy.close());
    const url = new URL(`http://runner:pass%2Fword@127.0.0.1:${port}`);
    const refused = openTunnel(url, target, signal);
    await expect(refused).rejects.toThrow(ProxyRefusal);
    await expect(refused).rejects.toThrow(
      `the proxy http://127.0.0.1:${port} answers CONNECT milvus.invalid:443 with HTTP 407`,
    );
    expect(login).toBe(`Basic ${Buffer.from("runner:pass/word").toString("base64")}`);
    expect(nameOf(url)).toBe(`http://127.0.0.1:${port}`);
  });

  test("says when the proxy can't be reached", async () => {
    const nobody = createServer();
    const port = await listenOnFreePort(nobody);
    await new Promise((resolve) => nobody.close(resolve));
    await expect(openTunnel(new URL(`http://127.0.0.1:${port}`), target, signal)).rejects.toThrow(
      `the proxy http://127.0.0.1:${port} can't be reached: connect ECONNREFUSED`,
    );
  });

  test("ends when the job is cancelled", async () => {
    const silent = createServer().on("connect", () => cancel.abort(new Error("cancelled")));
    const port = await listenOnFreePort(silent);
    const cancel = new AbortController();
    onTestFinished(() => silent.close().closeAllConnections());
    await expect(openTunnel(new URL(`http://127.0.0.1:${port}`), target, cancel.signal)).rejects.toThrow();
  });
});
