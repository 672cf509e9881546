import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { run } from "../../src/base/process.ts";
import { Secret } from "../../src/kubernetes/objects.ts";
import type { KeyPair } from "../../src/loadbalancer/certificate.ts";
import { chooseMadeCertificate } from "../../src/loadbalancer/choose-made-certificate.ts";
import { makeAuthority, makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { DAY } from "../support/certificates.ts";
import { hostOf } from "./support/cluster.ts";

const HOST = hostOf("renewed");
const OTHER = hostOf("other");
const PROGRAMS = join(import.meta.dirname, "support/handshake");
/** CI has both languages. Elsewhere one that isn't installed is skipped. */
const CLIENTS = [
  { language: "Go", name: "go", args: ["run", join(PROGRAMS, "handshake.go")] },
  { language: "Java", name: "java", args: [join(PROGRAMS, "Handshake.java")] },
];

let folder: string;
/** The output ca_certificate of the first run, a year ago. */
let authorityFile: string;
let renewed: KeyPair;
/** Of another authority. */
let foreign: KeyPair;
/** What nobody may make with the authority's key. */
let misused: KeyPair;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "renewed-"));
  authorityFile = join(folder, "ca.pem");
  const place = { host: HOST, tlsSecret: "tls" };
  const first = await chooseMadeCertificate(place, undefined, undefined, Date.now() - 380 * DAY);
  await writeFile(authorityFile, first.authority ?? "");
  const [secret, authoritySecret] = [first.newPair, first.newAuthority].map((pair) => pair && secretOf(pair));
  const second = await chooseMadeCertificate(place, secret, authoritySecret, Date.now());
  if (!second.newPair || !first.newAuthority) throw new Error("nothing was made");
  renewed = second.newPair;
  foreign = await makeCertificate(HOST, await makeAuthority(HOST, Date.now()), Date.now());
  misused = await makeCertificate(OTHER, first.newAuthority, Date.now());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function secretOf({ certificate, privateKey }: KeyPair): Secret {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const data = { "tls.crt": base64(certificate), "tls.key": base64(privateKey) };
  return v.parse(Secret, { metadata: { name: "tls" }, type: "kubernetes.io/tls", data });
}

const installed = await Promise.all(
  CLIENTS.map(({ name }) => run({ name, path: name }, ["version"]).catch(() => undefined)),
);
const clients = CLIENTS.filter((_, index) => process.env.CI || installed[index]);

describe.each(clients)("a client in $language with the file of the first run", ({ name, args }) => {
  async function connect(pair: KeyPair, host: string): Promise<number | null> {
    const server = createServer({ cert: pair.certificate, key: pair.privateKey });
    // A client that refuses the certificate says so.
    server.on("tlsClientError", () => {});
    const port = await listenOnFreePort(server);
    const address = `127.0.0.1:${port}`;
    const { exitCode } = await run({ name, path: name }, [...args, address, host, authorityFile]);
    server.close();
    return exitCode;
  }

  test("connects after a renewal", async () => {
    expect(await connect(renewed, HOST)).toBe(0);
  });

  test("refuses another authority's certificate", async () => {
    expect(await connect(foreign, HOST)).toBe(1);
  });

  // Java doesn't look at the name constraint of a certificate that it was told to trust.
  test.skipIf(name === "java")("refuses a certificate of that authority for another host", async () => {
    expect(await connect(misused, OTHER)).toBe(1);
  });
});
