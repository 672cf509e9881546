import { createServer } from "node:http";
import { createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { startConnectProxy } from "../../local-gke/connect-proxy.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { ActionError, CancelledError } from "../../src/base/errors.ts";
import { connect } from "../../src/milvus/client.ts";
import { type Verification, type Verified, verify } from "../../src/milvus/verify.ts";
import { selfSigned } from "../support/certificates.ts";

const HOST = "my-release.milvus.io";
const pair = selfSigned(HOST);

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Fields of a protobuf message: a text or a truth by number, as milvus.proto numbers them. */
function message(...fields: [number: number, value: string | boolean][]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === "boolean") return Buffer.from([number << 3, Number(value)]);
      const bytes = Buffer.from(value);
      return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    }),
  );
}

const VERSION = message([2, "v2.6.15"]);
const HEALTHY = message([2, true]);

type Answer = Buffer | { code: status; details: string } | undefined;
interface Call {
  authority: string;
  authorization: string | undefined;
}

/** Starts a Milvus whose two calls are answered by `answer`; undefined is no answer at all. */
async function startMilvus(answer: (method: string, call: Call, count: number) => Answer) {
  const { certificate, privateKey } = await pair;
  const server = new Server();
  const calls: Call[] = [];
  const handler = (name: string): UntypedHandleCall => {
    return (
      call: ServerUnaryCall<Buffer, Buffer>,
      callback: (error: object | null, value?: Buffer) => void,
    ) => {
      const [authorization] = call.metadata.get("authorization");
      const seen = { authority: call.getHost(), authorization: authorization?.toString() };
      if (name === "GetVersion") calls.push(seen);
      const reply = answer(name, seen, calls.length);
      if (Buffer.isBuffer(reply)) callback(null, reply);
      else if (reply) callback(reply);
    };
  };
  const same = (bytes: Buffer) => bytes;
  for (const name of ["GetVersion", "CheckHealth"]) {
    server.register(`/milvus.proto.milvus.MilvusService/${name}`, handler(name), same, same, "unary");
  }
  const credentials = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(privateKey), cert_chain: Buffer.from(certificate) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  cleanups.push(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, calls };
}

/** Starts a load balancer that answers every request by itself. */
async function startLoadBalancer(respond: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) {
  const { certificate, privateKey } = await pair;
  const server = createSecureServer({ cert: certificate, key: privateKey });
  server.on("stream", respond);
  server.on("session", (session) => cleanups.push(() => session.destroy()));
  const port = await listenOnFreePort(server);
  cleanups.push(() => server.close());
  return `127.0.0.1:${port}`;
}

async function check(address: string, request: Partial<Verification> = {}): Promise<Verified> {
  const { certificate } = await pair;
  const { signal } = new AbortController();
  const target = {
    address,
    host: HOST,
    ca: certificate,
    proxy: undefined,
    loginEnds: false,
    allowedRanges: [],
  };
  const verification = { ...target, token: undefined, limit: 1, signal, ...request };
  const client = connect(verification);
  cleanups.push(() => client.close());
  return verify(client, verification);
}

const HOURS = 3_600_000;
const refusal = (code: status, details: string) => () => ({ code, details });

describe("an answer", () => {
  test("has Milvus's version and no reasons if Milvus is healthy", async () => {
    const { address, calls } = await startMilvus((method) => (method === "GetVersion" ? VERSION : HEALTHY));
    expect(await check(address, { limit: HOURS })).toEqual({ version: "v2.6.15", reasons: [] });
    expect(calls).toEqual([{ authority: HOST, authorization: undefined }]);
  });

  test.each([
    ["root:Mil vus:ü", "cm9vdDpNaWwgdnVzOsO8"],
    ["k".repeat(300), "a2tr".repeat(100)],
  ])("comes with the token that Milvus expects (%s)", async (token, authorization) => {
    const { address, calls } = await startMilvus((method) => (method === "GetVersion" ? VERSION : HEALTHY));
    await check(address, { token });
    expect(calls).toEqual([{ authority: HOST, authorization }]);
  });

  test.each([
    ["its reasons", message([2, false], [3, "querycoord: no node"], [3, "é"]), ["querycoord: no node", "é"]],
    ["no reasons", message([2, false]), ["it gives no reason"]],
    ["an empty message", message(), ["it gives no reason"]],
  ])("is an answer when Milvus reports itself unhealthy with %s", async (_, health, reasons) => {
    const { address } = await startMilvus((method) => (method === "GetVersion" ? VERSION : health));
    expect(await check(address)).toEqual({ version: "v2.6.15", reasons });
  });

  test("is awaited: an unhealthy Milvus gets time to settle, an absent one to start", async () => {
    const { address, calls } = await startMilvus((method, _, count) => {
      if (count === 1) return { code: status.UNAVAILABLE, details: "Received HTTP status code 502" };
      return method === "GetVersion" ? VERSION : message([2, count > 2]);
    });
    expect(await check(address, { limit: HOURS })).toEqual({ version: "v2.6.15", reasons: [] });
    expect(calls).toHaveLength(3);
  });

  test("can be a refusal by Milvus itself: only Milvus checks a user's rights", async () => {
    const { address } = await startMilvus(
      refusal(status.PERMISSION_DENIED, "privilege not permitted, deny to reader"),
    );
    expect(await check(address, { token: "reader:secret" })).toEqual({ version: undefined, reasons: [] });
  });

  test.each(["auth check failure", "missing authorization in header"])(
    "can be that Milvus 2.3 requires a token, which it says with UNKNOWN: %s",
    async (details) => {
      const { address } = await startMilvus(refusal(status.UNKNOWN, details));
      expect(await check(address, { limit: HOURS })).toEqual({ version: undefined, reasons: [] });
    },
  );

  test("can come from a Milvus without CheckHealth", async () => {
    const { address } = await startMilvus((method) =>
      method === "GetVersion"
        ? VERSION
        : { code: status.UNIMPLEMENTED, details: "unknown method CheckHealth" },
    );
    expect(await check(address, { limit: HOURS })).toEqual({ version: "v2.6.15", reasons: [] });
  });

  test.each([401, 302])(
    "isn't Milvus's if a log-in gives it, with HTTP %i: the wait ends at once",
    async (code) => {
      const address = await startLoadBalancer((stream) => {
        stream.respond({ ":status": code, "content-type": "text/html" });
        stream.end("<html>log in</html>");
      });
      const result = check(address, { limit: HOURS });
      await expect(result).rejects.toThrow(`Not Milvus, but a log-in answers at ${address}`);
      await expect(result).rejects.toThrow("Identity-Aware Proxy");
    },
  );

  test("follows a log-in that this run has switched off", async () => {
    let answers = 0;
    const address = await startLoadBalancer((stream) => {
      answers += 1;
      stream.respond({ ":status": answers > 2 ? 403 : 401 }, { endStream: true });
    });
    await expect(check(address, { limit: HOURS, loginEnds: true })).rejects.toThrow("refuses calls for");
    expect(answers).toBeGreaterThan(2);
  });

  test("can be that Milvus requires a token, if none was given", async () => {
    const { address } = await startMilvus(refusal(status.UNAUTHENTICATED, "auth check failure"));
    expect(await check(address, { limit: HOURS })).toEqual({ version: undefined, reasons: [] });
  });
});

describe("no answer", () => {
  test("a wrong token", async () => {
    const { address } = await startMilvus(
      refusal(status.UNAUTHENTICATED, "auth check failure, please check api key is correct"),
    );
    const checking = check(address, { token: "root:wrong" });
    await expect(checking).rejects.toThrow(ActionError);
    await expect(checking).rejects.toThrow(
      `Milvus has not answered at ${address} as ${HOST} within 0.0s.\nWhy: 16 UNAUTHENTICATED: auth check failure, please check api key is correct\nWhat to do: Milvus refuses the token: check milvus_token.`,
    );
  });

  test.each([
    [404, "has no route for this host name (HTTP 404)"],
    [502, "the load balancer can't talk to Milvus"],
    [503, "the load balancer can't talk to Milvus"],
  ])("HTTP %i", async (code, remedy) => {
    const address = await startLoadBalancer((stream) => {
      stream.respond({ ":status": code, "content-type": "text/html" });
      stream.end("<html>");
    });
    await expect(check(address)).rejects.toThrow(`HTTP status code ${code}`);
    await expect(check(address)).rejects.toThrow(remedy);
  });

  test("HTTP 403 ends the wait at once", async () => {
    const address = await startLoadBalancer((stream) =>
      stream.respond({ ":status": 403 }, { endStream: true }),
    );
    const checking = check(address, { limit: HOURS });
    await expect(checking).rejects.toThrow(`The load balancer at ${address} refuses calls for ${HOST}.`);
    await expect(checking).rejects.toThrow("Cloud Armor policy or Identity-Aware Proxy");
  });

  test("HTTP 403 names allowed_ranges when they are what admits clients", async () => {
    const address = await startLoadBalancer((stream) =>
      stream.respond({ ":status": 403 }, { endStream: true }),
    );
    const checking = check(address, { allowedRanges: ["203.0.113.0/24"] });
    await expect(checking).rejects.toThrow(`The load balancer at ${address} refuses calls for ${HOST}.`);
    await expect(checking).rejects.toThrow("allowed_ranges doesn't have the address by which this runner");
  });

  test("HTTP 403 may be that of the former allowed_ranges: the new ones are awaited", async () => {
    const milvus = await startMilvus((method, _, count) => {
      if (count === 1) return { code: status.PERMISSION_DENIED, details: "Received HTTP status code 403" };
      return method === "GetVersion" ? VERSION : HEALTHY;
    });
    const allowedRanges = ["203.0.113.0/24"];
    expect(await check(milvus.address, { limit: HOURS, allowedRanges })).toMatchObject({
      version: "v2.6.15",
    });
    expect(milvus.calls).toHaveLength(2);
  });

  test("HTTP 200 from something that isn't Milvus", async () => {
    const address = await startLoadBalancer((stream) => {
      stream.respond({ ":status": 200, "content-type": "text/html" });
      stream.end("hello");
    });
    await expect(check(address)).rejects.toThrow(ActionError);
  });

  test.each([
    ["signed by nobody that is trusted", async () => ({ ca: (await selfSigned(HOST)).certificate })],
    ["no public authority has signed", async () => ({ ca: undefined })],
    ["for another host", async () => ({ host: "other.milvus.io" })],
  ])("a certificate %s", async (_, request) => {
    const { address } = await startMilvus((method) => (method === "GetVersion" ? VERSION : HEALTHY));
    const checking = check(address, await request());
    await expect(checking).rejects.toThrow("the load balancer presents another certificate");
    await expect(checking).rejects.toThrow(
      /the certificate presented is for DNS:my-release\.milvus\.io, issued by CN=\S+.*, valid until 20\d\d-/,
    );
  });

  test("no server listens", async () => {
    const address = await startLoadBalancer(() => {});
    for (const cleanup of cleanups.splice(0)) cleanup();
    const checking = check(address);
    await expect(checking).rejects.toThrow("ECONNREFUSED");
    await expect(checking).rejects.toThrow("bringing the HTTPS rule to its edges");
  });
});

describe("behind a proxy", () => {
  test("Milvus is called through it, by the name that only the proxy knows", async () => {
    const { address, calls } = await startMilvus((method) => (method === "GetVersion" ? VERSION : HEALTHY));
    const proxy = await startConnectProxy(() => "127.0.0.1");
    cleanups.push(proxy.stop);
    const behind = address.replace("127.0.0.1", "milvus.invalid");
    expect(await check(behind, { limit: HOURS, proxy: new URL(proxy.url) })).toMatchObject({
      version: "v2.6.15",
    });
    expect(calls).toHaveLength(1);
    expect(new Set(proxy.connects)).toEqual(new Set([behind]));
  });

  test.each([407, 403])("that refuses with HTTP %i, the wait ends at once", async (code) => {
    const refusing = createServer().on("connect", (_, socket) => socket.end(`HTTP/1.1 ${code} No\r\n\r\n`));
    const port = await listenOnFreePort(refusing);
    cleanups.push(() => refusing.close());
    const proxy = new URL(`http://runner:secret@127.0.0.1:${port}`);
    await expect(check("milvus.invalid:443", { limit: HOURS, proxy })).rejects.toThrow(
      `This runner's proxy doesn't let the check through to milvus.invalid:443.\nWhy: the proxy http://127.0.0.1:${port} answers CONNECT milvus.invalid:443 with HTTP ${code}\nWhat to do: let the proxy admit CONNECT`,
    );
  });

  test("that can't reach the load balancer, the limit ends the wait", async () => {
    const proxy = await startConnectProxy(() => "127.0.0.1");
    cleanups.push(proxy.stop);
    await expect(check("milvus.invalid:1", { proxy: new URL(proxy.url) })).rejects.toThrow(
      `(through the proxy ${proxy.url})`,
    );
  });
});

test("SNI and :authority are the host, not the address", async () => {
  const seen: unknown[] = [];
  const address = await startLoadBalancer((stream, headers) => {
    const { socket } = stream.session ?? {};
    seen.push([
      headers[":authority"],
      socket instanceof TLSSocket || (socket && "servername" in socket) ? socket.servername : undefined,
    ]);
    stream.respond({ ":status": 403 }, { endStream: true });
  });
  await expect(check(address)).rejects.toThrow(ActionError);
  expect(seen).toEqual([
    [HOST, HOST],
    [HOST, HOST],
  ]);
});

describe("a cancelled job", () => {
  const cancelled = new CancelledError("SIGINT");

  test("makes no call at all", async () => {
    const { address, calls } = await startMilvus(() => undefined);
    await expect(check(address, { signal: AbortSignal.abort(cancelled) })).rejects.toBe(cancelled);
    expect(calls).toEqual([]);
  });

  test("ends a call without an answer", async () => {
    const controller = new AbortController();
    const { address } = await startMilvus(() => {
      controller.abort(cancelled);
      return undefined;
    });
    await expect(check(address, { limit: HOURS, signal: controller.signal })).rejects.toBe(cancelled);
  });

  test("ends the pause between two calls", async () => {
    const controller = new AbortController();
    const { address, calls } = await startMilvus((method) => {
      if (method === "CheckHealth") setImmediate(() => controller.abort(cancelled));
      return { code: status.UNAVAILABLE, details: "not yet" };
    });
    await expect(check(address, { limit: HOURS, signal: controller.signal })).rejects.toBe(cancelled);
    expect(calls).toHaveLength(1);
  });
});
