import { X509Certificate } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { exportLines, statusLines } from "../../local-gke/control-plane/lines.ts";
import { makePki } from "../../local-gke/control-plane/pki.ts";
import { freePorts } from "../../local-gke/control-plane/ports.ts";
import { DEPLOYER, DEPLOYER_ID, Tokens } from "../../local-gke/control-plane/tokens.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("tokens", () => {
  const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";
  const SCOPES = [CLOUD_PLATFORM, "https://www.googleapis.com/auth/userinfo.email"];
  const review = (tokens: Tokens, token: string) => tokens.review({ spec: { token } });
  const accepted = { status: { authenticated: true, user: { username: DEPLOYER } } };
  const refused = { status: { authenticated: false } };

  test("authenticate the deployer only if they were issued", () => {
    const tokens = new Tokens();
    const { token } = tokens.issue(SCOPES);
    expect(review(tokens, token)).toMatchObject(accepted);
    expect(review(tokens, `${token}x`)).toMatchObject(refused);
    expect(review(new Tokens(), token)).toMatchObject(refused);
  });

  test("without the scope for the e-mail address authenticate a numeric id", () => {
    const tokens = new Tokens();
    const { token } = tokens.issue([CLOUD_PLATFORM]);
    expect(review(tokens, token)).toMatchObject({
      status: { authenticated: true, user: { username: DEPLOYER_ID } },
    });
  });

  test.each([undefined, null, {}, { spec: null }, { spec: { token: 1 } }])(
    "a review of %j is refused",
    (body) => {
      expect(new Tokens().review(body)).toMatchObject(refused);
    },
  );

  test("expire at the end of their lifetime and can be revoked", () => {
    vi.useFakeTimers();
    const tokens = new Tokens();
    tokens.lifetimeSeconds = 300;
    const { token, expiresInSeconds } = tokens.issue(SCOPES);
    expect(expiresInSeconds).toBe(300);
    vi.advanceTimersByTime(299_999);
    expect(review(tokens, token)).toMatchObject(accepted);
    vi.advanceTimersByTime(1);
    expect(review(tokens, token)).toMatchObject(refused);

    const revoked = tokens.issue(SCOPES).token;
    tokens.revokeAll();
    expect(review(tokens, revoked)).toMatchObject(refused);
  });
});

test("the serving certificate has the API server's names and is signed by the CA", async () => {
  const pki = await makePki();
  const ca = new X509Certificate(pki.caCertificate);
  const serving = new X509Certificate(pki.servingCertificate);
  expect(ca.ca).toBe(true);
  expect(serving.ca).toBe(false);
  expect(serving.verify(ca.publicKey)).toBe(true);
  expect(serving.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(serving.checkHost("localhost")).toBe("localhost");
});

test("freePorts returns different ports", async () => {
  const ports = await freePorts(["a", "b", "c"]);
  expect(Object.keys(ports)).toEqual(["a", "b", "c"]);
  expect(new Set(Object.values(ports)).size).toBe(3);
});

test("exportLines quotes values for a shell", () => {
  expect(exportLines({ A: "plain", B: "it's $HOME" })).toBe("export A='plain'\nexport B='it'\\''s $HOME'\n");
});

describe("statusLines", () => {
  const state = { name: "x", directory: "/d/x", kubeconfig: "/d/x/kubeconfig", control: "http://c", env: {} };
  const found = { name: "x", directory: "/d/x" };
  test.each([
    ["running", { ...found, processes: [1, 2], state }, /^x: running\n.*processes {2}1 2\n.*http:\/\/c/s],
    ["starting", { ...found, processes: [1], state: undefined }, /^x: starting\n/],
    ["dead", { ...found, processes: [], state }, /^x: dead/],
    [
      "failed",
      { ...found, processes: [], state: { ...state, failure: "etcd ended" } },
      /^x: failed: etcd ended\n/,
    ],
  ])("reports a local GKE that is %s", (_, each, expected) => {
    expect(statusLines([each])).toMatch(expected);
  });

  test("reports that there is no local GKE", () => {
    expect(statusLines([])).toBe("No local GKE is running.\n");
  });
});
