import { createServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { startConnectProxy } from "../../local-gke/connect-proxy.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { waitForTrustedCertificate } from "../../src/loadbalancer/handshake.ts";
import { selfSigned } from "../support/certificates.ts";

test("the handshake goes through the runner's proxy", async () => {
  const { certificate, privateKey } = await selfSigned("my-release.milvus.io");
  const server = createServer({ cert: certificate, key: privateKey });
  const port = await listenOnFreePort(server);
  const proxy = await startConnectProxy(() => "127.0.0.1");
  onTestFinished(() => {
    proxy.stop();
    server.close();
  });
  const address = `milvus.invalid:${port}`;
  const environment = { HTTPS_PROXY: proxy.url };
  const { signal } = new AbortController();
  // Nobody trusts this certificate. That it is seen at all shows the way.
  await expect(
    waitForTrustedCertificate(address, "my-release.milvus.io", 1, environment, signal),
  ).rejects.toThrow(/is not presented at milvus\.invalid[\s\S]*self-signed/);
  expect(proxy.connects).toContain(address);
});
