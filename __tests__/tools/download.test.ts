import { execFile, execFileSync } from "node:child_process";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { parseGoogHash, parseSum } from "../../src/tools/checksum.ts";
import { type Download, downloadInto, install } from "../../src/tools/download.ts";
import { DownloadError, parseRetryAfter } from "../../src/tools/http.ts";
import { selfSigned } from "../support/certificates.ts";
import { captureLog } from "../support/job-log.ts";
import {
  aFolder,
  aMirror,
  aRunner,
  archiveOf,
  type Mirror,
  type Route,
  scriptPrinting,
  sha256,
} from "../support/runner.ts";

const SCRIPT = scriptPrinting("v3.22.0");
const FILE = "/helm.tar.gz";
const IMPATIENT = { patience: { stallMs: 150, retryDelaysMs: [0, 0] } };

const log = captureLog();

function helmAt(mirror: Mirror): Download {
  return {
    name: "helm",
    version: "3.22.0",
    url: `${mirror.url}${FILE}`,
    checksum: { url: `${mirror.url}${FILE}.sha256sum` },
    archive: "tar.gz",
    member: "linux-amd64/helm",
  };
}

/** Serves an archive with its sum, each of which a test may replace. */
async function aHelmMirror(replaced: Record<string, Route> = {}): Promise<Mirror> {
  const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
  return await aMirror({
    [FILE]: archive,
    [`${FILE}.sha256sum`]: `${sha256(archive)}  helm.tar.gz\n`,
    ...replaced,
  });
}

async function failureOf(work: Promise<unknown>): Promise<DownloadError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof DownloadError)) throw new Error(`no DownloadError, but ${String(error)}`);
  return error;
}

describe("install", () => {
  test("installs a working program into the tool cache, which the next call takes without a request", async () => {
    const { toolCache } = await aRunner();
    const mirror = await aHelmMirror();
    const path = await install(helmAt(mirror));
    expect(path).toBe(join(toolCache, "helm", "3.22.0", process.arch, "linux-amd64", "helm"));
    expect(execFileSync(path, { encoding: "utf8" })).toBe("v3.22.0\n");
    expect(mirror.requests.sort()).toEqual([FILE, `${FILE}.sha256sum`]);

    expect(await install(helmAt(mirror))).toBe(path);
    expect(mirror.requests).toHaveLength(2);
  });

  test("leaves no other files behind", async () => {
    const { toolCache } = await aRunner();
    await install(helmAt(await aHelmMirror()));
    const home = join(toolCache, "helm", "3.22.0");
    expect((await readdir(home)).sort()).toEqual([process.arch, `${process.arch}.complete`]);
    expect(await readdir(join(home, process.arch))).toEqual(["linux-amd64"]);
  });

  test("fetches the checksum while the file is downloaded", async () => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
    const answers: (() => void)[] = [];
    const whenBothHaveCome =
      (content: string | Buffer): Route =>
      (response) => {
        answers.push(() => response.end(content));
        if (answers.length === 2) for (const answer of answers) answer();
      };
    const mirror = await aMirror({
      [FILE]: whenBothHaveCome(archive),
      [`${FILE}.sha256sum`]: whenBothHaveCome(sha256(archive)),
    });
    await install(helmAt(mirror));
  });

  test.each([
    ["another action's layout", "helm", true],
    ["half a tool", "linux-amd64/helm", false],
  ])("replaces %s in the cache", async (_, file, complete) => {
    const { toolCache } = await aRunner();
    const home = join(toolCache, "helm", "3.22.0", process.arch);
    await mkdir(join(home, "linux-amd64"), { recursive: true });
    await writeFile(join(home, file), "half");
    if (complete) await writeFile(`${home}.complete`, "");
    const path = await install(helmAt(await aHelmMirror()));
    expect(execFileSync(path, { encoding: "utf8" })).toBe("v3.22.0\n");
  });

  test("returns a complete tool to two concurrent calls", async () => {
    await aRunner();
    const mirror = await aHelmMirror();
    const [first, second] = await Promise.all([install(helmAt(mirror)), install(helmAt(mirror))]);
    expect(first).toBe(second);
    expect(execFileSync(first, { encoding: "utf8" })).toBe("v3.22.0\n");
  });
});

test("install takes the tool that another job has put into the cache meanwhile", async () => {
  await aRunner();
  const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
  const faster = await aHelmMirror();
  let identity: number | undefined;
  const slower = await aMirror({
    [FILE]: async (response) => {
      identity = (await stat(await install(helmAt(faster)))).ino;
      response.end(archive);
    },
    [`${FILE}.sha256sum`]: sha256(archive),
  });
  const path = await install(helmAt(slower));
  expect((await stat(path)).ino).toBe(identity);
});

test("a download waits for a host that is slow but steady", async () => {
  await aRunner();
  const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
  const mirror = await aHelmMirror({
    [FILE]: (response) => {
      let sent = 0;
      const step = Math.ceil(archive.length / 8);
      const ticker = setInterval(() => {
        response.write(archive.subarray(sent, sent + step));
        sent += step;
        if (sent < archive.length) return;
        clearInterval(ticker);
        response.end();
      }, 100);
      response.on("close", () => clearInterval(ticker));
    },
    [`${FILE}.sha256sum`]: sha256(archive),
  });
  await install(helmAt(mirror), { patience: { stallMs: 500, retryDelaysMs: [] } });
});

describe("downloadInto", () => {
  test("makes a bare program executable", async () => {
    const mirror = await aMirror({ "/kubectl": SCRIPT });
    const path = await downloadInto(await aFolder(), {
      ...helmAt(mirror),
      url: `${mirror.url}/kubectl`,
      checksum: { sha256: sha256(SCRIPT).toUpperCase() },
      archive: "none",
      member: "kubectl",
    });
    expect(execFileSync(path, { encoding: "utf8" })).toBe("v3.22.0\n");
  });

  test("unpacks a zip, as for Windows", async () => {
    await aRunner();
    const archive = await archiveOf("zip", "windows-amd64/helm.exe", SCRIPT);
    const mirror = await aMirror({ "/helm.zip": archive });
    const path = await downloadInto(await aFolder(), {
      ...helmAt(mirror),
      url: `${mirror.url}/helm.zip`,
      checksum: { sha256: sha256(archive) },
      archive: "zip",
      member: "windows-amd64/helm.exe",
    });
    expect(execFileSync(path, { encoding: "utf8" })).toBe("v3.22.0\n");
  });

  test("follows a redirect, as official hosts send it", async () => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
    const mirror = await aHelmMirror({
      [FILE]: (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
      "/elsewhere": archive,
      [`${FILE}.sha256sum`]: sha256(archive),
    });
    await install(helmAt(mirror));
  });
});

test("downloads go through the runner's proxy, except to hosts in NO_PROXY", async () => {
  await aRunner();
  const mirror = await aHelmMirror();
  const { port } = new URL(mirror.url);
  const tunnels: string[] = [];
  const proxy = createHttpServer().on("connect", (request, socket, head) => {
    tunnels.push(request.url ?? "");
    const upstream = connect(Number(port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [socket, upstream]) each.on("error", () => {});
  });
  const proxyPort = await listenOnFreePort(proxy);
  onTestFinished(async () => {
    await new Promise((resolve) => proxy.close(resolve));
  });
  vi.stubEnv("http_proxy", `http://127.0.0.1:${proxyPort}`);
  vi.stubEnv("no_proxy", "inside.invalid");

  await install(helmAt({ ...mirror, url: "http://outside.invalid" }));
  expect(new Set(tunnels)).toEqual(new Set(["outside.invalid:80"]));

  const direct = { ...helmAt({ ...mirror, url: "http://inside.invalid" }), version: "3.22.1" };
  expect((await failureOf(install(direct, IMPATIENT))).message).toContain("inside.invalid");
  expect(tunnels).not.toContain("inside.invalid:80");
});

describe("a download fails with", () => {
  const html = "<html>sign in</html>";
  test.each<[what: string, replaced: Record<string, Route>, obstacle: string, says: (string | RegExp)[]]>([
    ["a missing file", { [FILE]: (r) => r.writeHead(404).end() }, "missing", [FILE, "404 Not Found"]],
    ["a forbidden file", { [FILE]: (r) => r.writeHead(403).end() }, "refused", [FILE, "403 Forbidden"]],
    [
      "another file's content",
      { [`${FILE}.sha256sum`]: "0".repeat(64) },
      "unverified",
      [FILE, "0".repeat(64), /has SHA-256 (?!0{64})[0-9a-f]{64}/],
    ],
    [
      "no sum",
      { [`${FILE}.sha256sum`]: (r) => r.writeHead(404).end() },
      "unverified",
      [`${FILE}.sha256sum`, "SHA-256", "404"],
    ],
    ["a sign-in page for a sum", { [`${FILE}.sha256sum`]: html }, "unverified", [`${FILE}.sha256sum`, html]],
    [
      "a redirect to itself",
      { [FILE]: (r) => r.writeHead(302, { location: FILE }).end() },
      "refused",
      [FILE, "more than 5 times"],
    ],
    ["an empty sum", { [`${FILE}.sha256sum`]: "" }, "unverified", [`${FILE}.sha256sum`, "nothing"]],
    [
      "another file's sum",
      { [`${FILE}.sha256sum`]: `${"0".repeat(64)}  other.tar.gz` },
      "unverified",
      ["other.tar.gz"],
    ],
    [
      "a file cut short",
      {
        [FILE]: (r) => {
          r.writeHead(200, { "content-length": "1000" });
          r.write("only so much", () => r.destroy());
        },
      },
      "unreachable",
      [FILE, "12 of 1000 bytes"],
    ],
    ["a host that never answers", { [FILE]: () => {} }, "unreachable", [FILE, "nothing for 0.15 s"]],
    [
      "a host that goes silent",
      {
        [FILE]: (r) => {
          r.writeHead(200, { "content-length": "1000" });
          r.write("some");
        },
      },
      "unreachable",
      [FILE, "nothing for 0.15 s", "4 of 1000 bytes"],
    ],
    ["a host in trouble", { [FILE]: (r) => r.writeHead(503).end() }, "unreachable", [FILE, "503"]],
  ])("%s", async (_, replaced, obstacle, says) => {
    const { toolCache } = await aRunner();
    const mirror = await aHelmMirror(replaced);
    const error = await failureOf(install(helmAt(mirror), IMPATIENT));
    expect(error.obstacle).toBe(obstacle);
    for (const part of says) expect(error.message).toMatch(part);
    expect(await readdir(join(toolCache, "helm", "3.22.0"))).toEqual([]);
  });

  test("an archive without the tool", async () => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "README", "no tool");
    const mirror = await aHelmMirror({ [FILE]: archive, [`${FILE}.sha256sum`]: sha256(archive) });
    const error = await failureOf(install(helmAt(mirror)));
    expect(error.message).toContain(`${FILE} holds no linux-amd64/helm`);
  });

  test("a file that is no archive but has the right checksum", async () => {
    await aRunner();
    const mirror = await aHelmMirror({ [FILE]: "no archive", [`${FILE}.sha256sum`]: sha256("no archive") });
    expect((await failureOf(install(helmAt(mirror)))).message).toContain(`${FILE} can't be unpacked`);
  });

  test("a closed port, without a retry", async () => {
    await aRunner();
    const server = createServer();
    const url = `http://127.0.0.1:${await listenOnFreePort(server)}`;
    await new Promise((resolve) => server.close(resolve));
    const error = await failureOf(install(helmAt({ url, requests: [], routes: {} })));
    expect(error).toMatchObject({ obstacle: "unreachable" });
    expect(error.message).toContain("ECONNREFUSED");
  });
});

describe("a download is retried", () => {
  const inTrouble: [string, (response: Parameters<Exclude<Route, string | Buffer>>[0]) => void][] = [
    ["503", (response) => response.writeHead(503).end()],
    ["429", (response) => response.writeHead(429).end()],
    ["408", (response) => response.writeHead(408).end()],
    ["a reset", (response) => response.socket?.resetAndDestroy()],
    ["a stall", () => {}],
  ];
  test.each(inTrouble)("after %s, for the file and for the checksum", async (_, trouble) => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
    const afterTrouble =
      (content: string | Buffer): Route =>
      (response, count) =>
        count === 1 ? trouble(response) : response.end(content);
    const mirror = await aHelmMirror({
      [FILE]: afterTrouble(archive),
      [`${FILE}.sha256sum`]: afterTrouble(sha256(archive)),
    });
    const path = await install(helmAt(mirror), IMPATIENT);
    expect(execFileSync(path, { encoding: "utf8" })).toBe("v3.22.0\n");
    expect(mirror.requests).toHaveLength(4);
  });

  test("after the host's Retry-After, if that is short", async () => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
    const mirror = await aHelmMirror({
      [FILE]: (response, count) =>
        count === 1 ? response.writeHead(429, { "retry-after": "1" }).end() : response.end(archive),
      [`${FILE}.sha256sum`]: sha256(archive),
    });
    await install(helmAt(mirror), IMPATIENT);
    expect(log.text).toContain(`${mirror.url}${FILE} answered 429 Too Many Requests. Trying again in 1 s.\n`);
  });

  test("not if the host's Retry-After is long", async () => {
    await aRunner();
    const mirror = await aHelmMirror({
      [FILE]: (response) => response.writeHead(503, { "retry-after": "3600" }).end(),
    });
    const error = await failureOf(install(helmAt(mirror), IMPATIENT));
    expect(error.message).toContain("503 Service Unavailable, and its Retry-After is 3600 s");
    expect(mirror.requests.filter((path) => path === FILE)).toHaveLength(1);
  });

  test.each([
    ["404", 404, 1],
    ["403", 403, 1],
    ["500", 500, 3],
  ])("or not, depending on the status: %s", async (_, status, count) => {
    await aRunner();
    const mirror = await aHelmMirror({ [FILE]: (response) => response.writeHead(status).end() });
    await failureOf(install(helmAt(mirror), IMPATIENT));
    expect(mirror.requests.filter((path) => path === FILE)).toHaveLength(count);
  });
});

const NOW = Date.parse("2030-01-01T00:00:00Z");
test.each([
  [undefined, 0],
  ["", 0],
  ["0", 0],
  ["120", 120_000],
  ["Tue, 01 Jan 2030 00:00:30 GMT", 30_000],
  ["Mon, 31 Dec 2029 23:00:00 GMT", 0],
  ["-5", 0],
  ["soon", 0],
])("Retry-After: %s is a wait of %i ms", (header, wait) => {
  expect(parseRetryAfter(header, NOW)).toBe(wait);
});

describe("credentials", () => {
  const authorization = "Basic dXNlcjpwYXNz";

  test("go to the mirror and to redirects on its own origin, but to no other host", async () => {
    await aRunner();
    const archive = await archiveOf("tar.gz", "linux-amd64/helm", SCRIPT);
    const seen: Record<string, string | undefined> = {};
    const noting =
      (name: string, next: (response: Parameters<Exclude<Route, string | Buffer>>[0]) => void): Route =>
      (response) => {
        seen[name] = response.req.headers.authorization;
        next(response);
      };
    const elsewhere = await aMirror({ "/store": noting("elsewhere", (response) => response.end(archive)) });
    const mirror = await aMirror({
      [FILE]: noting("first", (response) => response.writeHead(302, { location: "/second" }).end()),
      "/second": noting("second", (response) =>
        response.writeHead(302, { location: `${elsewhere.url}/store` }).end(),
      ),
      [`${FILE}.sha256sum`]: noting("sum", (response) => response.end(sha256(archive))),
    });
    await install(helmAt(mirror), { authorization });
    expect(seen).toEqual({
      first: authorization,
      second: authorization,
      sum: authorization,
      elsewhere: undefined,
    });
  });

  test("in the signed URL of a redirect are not printed", async () => {
    await aRunner();
    const mirror = await aHelmMirror({
      [FILE]: (response) => response.writeHead(302, { location: `${FILE}?signature=secret` }).end(),
      [`${FILE}?signature=secret`]: (response) =>
        response.writeHead(302, { location: `${FILE}?signature=secret` }).end(),
    });
    const error = await failureOf(install(helmAt(mirror)));
    expect(error.message).toContain(`redirects more than 5 times: ${mirror.url}${FILE}.`);
  });
});

describe("a private certificate authority", () => {
  const url = new URL("../../src/tools/http.ts", import.meta.url).href;
  const script = `import { readText } from ${JSON.stringify(url)};
    console.log(await readText(process.argv[1]).catch((error) => \`\${error.obstacle}: \${error.message}\`));`;

  test.each([
    [true, /^v1\.2\.3\n$/],
    [false, /^unreachable: https:.* can't be read: .*self.signed/],
  ])("is trusted if NODE_EXTRA_CA_CERTS names it: %s", async (trusted, says) => {
    const pair = await selfSigned("localhost");
    const server = createTlsServer({ cert: pair.certificate, key: pair.privateKey }, (_, response) =>
      response.end("v1.2.3"),
    );
    const port = await listenOnFreePort(server);
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const file = join(await aFolder(), "ca.pem");
    await writeFile(file, pair.certificate);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "-e", script, `https://localhost:${port}/version`],
      { env: trusted ? { NODE_EXTRA_CA_CERTS: file } : {} },
    );
    expect(stdout).toMatch(says);
  });
});

describe("an MD5 in x-goog-hash", () => {
  const md5 = "rL0Y20zC+Fzt72VPzMSk2A==";
  const hex = "acbd18db4cc2f85cedef654fccc4a4d8";
  test.each([
    ["behind a CRC32C", `crc32c=z8SuHQ==,md5=${md5}`, hex],
    ["behind a CRC32C and a space", `crc32c=z8SuHQ==, md5=${md5}`, hex],
    ["in front of it", `md5=${md5},crc32c=z8SuHQ==`, hex],
    ["missing", "crc32c=z8SuHQ==", undefined],
    ["too long", `md5=${md5}A`, undefined],
    ["too short", `md5=${md5.slice(2)}`, undefined],
    ["of another name", `xmd5=${md5}`, undefined],
    ["nothing", "", undefined],
  ])("%s", (_, header, expected) => {
    expect(parseGoogHash(header)).toBe(expected);
  });
});

describe("a published sum", () => {
  const sum = "0123456789abcdef".repeat(4);
  const other = "f".repeat(64);
  test.each([
    ["bare", sum, sum],
    ["bare, upper case, with line ends", `${sum.toUpperCase()}\r\n`, sum],
    ["sha256sum's line", `${sum}  helm.tar.gz\n`, sum],
    ["sha256sum's line in binary mode", `${sum} *helm.tar.gz\n`, sum],
    ["one of several", `${other}  other.tar.gz\n${sum}  ./helm.tar.gz\n`, sum],
    ["none for this file", `${other}  other.tar.gz\n`, undefined],
    ["too short", sum.slice(1), undefined],
    ["too long", `${sum}0`, undefined],
    ["nothing", "", undefined],
  ])("%s", (_, text, expected) => {
    expect(parseSum(text, "helm.tar.gz")).toBe(expected);
  });
});
