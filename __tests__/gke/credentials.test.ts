import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import type { CredentialFiles } from "../../local-gke/google/identities.ts";
import { findCredentials } from "../../src/gke/credential-source.ts";
import { googleCredentials } from "../../src/gke/credentials.ts";
import { type Google, startGoogle, temporaryDirectory } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const log = captureLog();

const SCOPES = [
  "https://www.googleapis.com/auth/cloud-platform",
  "https://www.googleapis.com/auth/userinfo.email",
];
const OAUTH2 = ["POST /oauth2/token"];
const STS = ["GET /github/idtoken", "POST /sts/v1/token"];
const GENERATE = [
  "POST /iamcredentials/v1/projects/-/serviceAccounts/deployer@my-project.iam.gserviceaccount.com:generateAccessToken",
];

describe("each kind of credentials gives a masked token with its expiry", () => {
  const kinds: [keyof CredentialFiles, string | undefined, string[]][] = [
    ["federatedServiceAccount", "my-project", [...STS, ...GENERATE]],
    ["directFederation", undefined, STS],
    ["serviceAccountKey", "my-project", OAUTH2],
    ["authorizedUser", undefined, OAUTH2],
    ["impersonatedServiceAccount", "my-project", [...OAUTH2, ...GENERATE]],
  ];
  test.each(kinds)("%s", async (kind, projectId, requests) => {
    const google = await startGoogle({ expiresInSeconds: 1800 });
    const credentials = await googleCredentials(
      {},
      { ...overrides(google), GOOGLE_APPLICATION_CREDENTIALS: google.files[kind] },
    );
    const before = Date.now();
    const token = await credentials.accessToken();
    const after = Date.now();

    expect(credentials.projectId).toBe(projectId);
    expect(token.value).toBe(google.lastToken());
    expect(token.expires).toBeGreaterThanOrEqual(before + 1_800_000);
    expect(token.expires).toBeLessThanOrEqual(after + 1_800_000);
    expect(google.lastScopes()).toEqual(expect.arrayContaining(SCOPES));
    expect(google.requests).toEqual(requests);
    expect(log.text.split("\n")).toContain(`::add-mask::${token.value}`);
  });

  test("the metadata server", async () => {
    const google = await startGoogle();
    const host = new URL(google.url).host;
    vi.stubEnv("GCE_METADATA_HOST", host);
    const credentials = await googleCredentials({}, { ...overrides(google), GCE_METADATA_HOST: host });
    const token = await credentials.accessToken();
    vi.unstubAllEnvs();
    expect(token.value).toBe("ya29.token-1");
    expect(google.lastScopes()).toEqual(expect.arrayContaining(SCOPES));
  });

  test("an identity token in a file", async () => {
    const google = await startGoogle();
    const configuration = JSON.parse(await readFile(google.files.directFederation, "utf8"));
    const identity = await fetch(configuration.credential_source.url, {
      headers: configuration.credential_source.headers,
    });
    const file = join(await temporaryDirectory(), "identity.json");
    await writeFile(file, await identity.text());
    const { url: _, headers: __, ...source } = configuration.credential_source;
    const credentialsJson = JSON.stringify({ ...configuration, credential_source: { ...source, file } });
    const credentials = await googleCredentials({ credentialsJson }, overrides(google));
    expect(await credentials.accessToken()).toMatchObject({ value: "ya29.token-1" });
  });

  test("each call fetches a new token", async () => {
    const google = await startGoogle();
    const credentials = await googleCredentials({}, google.environment);
    const first = await credentials.accessToken();
    const second = await credentials.accessToken();
    expect(second.value).not.toBe(first.value);
  });
});

describe("where credentials are looked for", () => {
  test.each([
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_GHA_CREDS_PATH",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
  ])("%s", async (variable) => {
    const google = await startGoogle();
    const environment = { ...overrides(google), [variable]: google.files.serviceAccountKey };
    const credentials = await googleCredentials({}, environment);
    expect(credentials.description).toContain(variable);
    expect(await credentials.accessToken()).toMatchObject({ value: "ya29.token-1" });
  });

  test("Application Default Credentials", async () => {
    const google = await startGoogle();
    const directory = await temporaryDirectory();
    const path = join(directory, "application_default_credentials.json");
    await writeFile(path, await readFile(google.files.authorizedUser));
    const credentials = await googleCredentials({}, { ...overrides(google), CLOUDSDK_CONFIG: directory });
    expect(credentials.description).toContain(path);
    expect(await credentials.accessToken()).toMatchObject({ value: "ya29.token-1" });
  });

  test("credentials_json wins over the environment", async () => {
    const google = await startGoogle();
    const credentialsJson = await readFile(google.files.serviceAccountKey, "utf8");
    const credentials = await googleCredentials({ credentialsJson }, google.environment);
    await credentials.accessToken();
    expect(google.requests).toEqual(OAUTH2);
  });

  test.each([
    ["with a service account", true, [...STS, ...GENERATE]],
    ["without", false, STS],
  ])("workload_identity_provider %s", async (_, withAccount, requests) => {
    const google = await startGoogle();
    const credentials = await googleCredentials(
      {
        workloadIdentityProvider: google.provider,
        serviceAccount: withAccount ? google.serviceAccount : undefined,
      },
      google.environment,
    );
    await credentials.accessToken();
    expect(google.requests).toEqual(requests);
  });

  test("the job's project wins over the credentials' own", async () => {
    const google = await startGoogle();
    const environment = {
      ...overrides(google),
      GOOGLE_APPLICATION_CREDENTIALS: google.files.serviceAccountKey,
      GOOGLE_CLOUD_PROJECT: "another-project",
    };
    expect(await googleCredentials({}, environment)).toMatchObject({ projectId: "another-project" });
  });
});

describe("missing or unreadable credentials", () => {
  const nowhere = { HOME: "/nonexistent" };
  test.each([
    [
      "a file that isn't there",
      {},
      { ...nowhere, GOOGLE_APPLICATION_CREDENTIALS: "/nonexistent/gha-creds.json" },
      /\/nonexistent\/gha-creds\.json, named by GOOGLE_APPLICATION_CREDENTIALS.*ENOENT.*actions\/checkout before/s,
    ],
    [
      "no identity token for the job",
      { workloadIdentityProvider: "projects/1/locations/global/workloadIdentityPools/p/providers/q" },
      nowhere,
      /can't get an identity token.*permissions: id-token: write/s,
    ],
    ["no JSON", { credentialsJson: '{"private_key": "secret' }, nowhere, /credentials_json` is not JSON/],
    ["no type", { credentialsJson: '{"a": 1, "b": 2}' }, nowhere, /no "type", only: a, b/],
  ])("%s", async (_, inputs, environment, message) => {
    await expect(findCredentials(inputs, environment, async () => false)).rejects.toThrow(message);
  });

  test("the error doesn't quote a text that isn't JSON", async () => {
    await expect(
      findCredentials({ credentialsJson: '{"private_key": "secret' }, nowhere, async () => false),
    ).rejects.not.toThrow(/secret"?$|private_key/);
  });

  test.each([
    ["service_account", /no client_email/],
    ["authorized_user", /no client_id/],
    ["external_account", /incomplete.*credential_source/s],
    ["impersonated_service_account", /incomplete.*source_credentials/s],
    ["gdch_service_account", /"gdch_service_account" are not supported/],
  ])("%s without its fields", async (type, message) => {
    const credentials = await googleCredentials({ credentialsJson: JSON.stringify({ type }) }, nowhere);
    await expect(credentials.accessToken()).rejects.toThrow(message);
  });
});

describe("gcloud's login", () => {
  /** Makes a stand-in for gcloud the only program on PATH. */
  async function installGcloud(script: string): Promise<string> {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "gcloud"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv("PATH", directory);
    onTestFinished(() => void vi.unstubAllEnvs());
    return directory;
  }
  const answering = (core: object, credential: object) =>
    `echo '${JSON.stringify({ configuration: { active_configuration: "default", properties: { core } }, credential })}'`;
  const nowhere = { HOME: "/nonexistent" };

  test("is used if there is nothing else, and runs again for each further token", async () => {
    const core = { account: "me@example.com", project: "my-project" };
    const answer = answering(core, { access_token: "ya29.gcloud", token_expiry: "2100-01-02T03:04:05Z" });
    const directory = await installGcloud(`echo "$@" >>"\${0%/*}/calls"\n${answer}`);
    const credentials = await googleCredentials({}, nowhere);
    expect(credentials).toMatchObject({
      description: "gcloud's login as me@example.com",
      projectId: "my-project",
      universe: "googleapis.com",
    });
    const call = "config config-helper --format=json --force-auth-refresh\n";
    const token = { value: "ya29.gcloud", expires: Date.UTC(2100, 0, 2, 3, 4, 5) };
    expect(await credentials.accessToken()).toEqual(token);
    expect(await readFile(join(directory, "calls"), "utf8")).toBe(call);
    expect(await credentials.accessToken()).toEqual(token);
    expect(await readFile(join(directory, "calls"), "utf8")).toBe(call + call);
    expect(log.text.split("\n")).toContain("::add-mask::ya29.gcloud");
  });

  test.each([
    [undefined, undefined],
    ["billing", "billing"],
    ["LEGACY", undefined],
    ["CURRENT_PROJECT", "p"],
    ["CURRENT_PROJECT_WITH_FALLBACK", "p"],
  ])(
    "its property billing/quota_project %s names the project that pays: %s",
    async (property, quotaProject) => {
      const properties = { core: { account: "me", project: "p" }, billing: { quota_project: property } };
      const session = { configuration: { properties }, credential: { access_token: "ya29.gcloud" } };
      await installGcloud(`echo '${JSON.stringify(session)}'`);
      expect((await googleCredentials({}, nowhere)).quotaProject).toBe(quotaProject);
    },
  );

  test("assumes five minutes if gcloud knows no expiry", async () => {
    await installGcloud(answering({ account: "me" }, { access_token: "ya29.gcloud" }));
    const before = Date.now();
    const credentials = await googleCredentials({}, { ...nowhere, GOOGLE_CLOUD_PROJECT: "p" });
    expect(credentials.projectId).toBe("p");
    const { expires } = await credentials.accessToken();
    expect(expires).toBeGreaterThanOrEqual(before + 300_000);
    expect(expires).toBeLessThanOrEqual(Date.now() + 300_000);
  });

  test("is not used if there are other credentials", async () => {
    const directory = await installGcloud(`touch "\${0%/*}/called"; exit 1`);
    const google = await startGoogle();
    await (await googleCredentials({}, google.environment)).accessToken();
    expect(await readdir(directory)).toEqual(["gcloud"]);
  });

  test.each([
    [
      "nobody is logged in",
      "echo 'ERROR: no active account selected.' >&2; exit 1",
      /gcloud has none: ERROR: no active account/,
    ],
    ["it prints no token", answering({}, {}), /gcloud has none: gcloud printed no access_token/],
  ])("%s: there are no credentials at all", async (_, script, message) => {
    await installGcloud(script);
    await expect(googleCredentials({}, nowhere)).rejects.toThrow(
      /no Google Cloud credentials.*google-github-actions\/auth/s,
    );
    await expect(googleCredentials({}, nowhere)).rejects.toThrow(message);
  });

  test("there is no gcloud", async () => {
    vi.stubEnv("PATH", await temporaryDirectory());
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(googleCredentials({}, nowhere)).rejects.toThrow(
      /no Google Cloud credentials.*GOOGLE_APPLICATION_CREDENTIALS.*gcloud is not on PATH.*id-token: write/s,
    );
  });
});

describe("refusals are explained with Google's own text, and not retried", () => {
  const refusals: [string, Fault[], keyof CredentialFiles, Record<string, unknown>, RegExp, number][] = [
    [
      "attribute condition",
      ["refuse-token-exchange"],
      "directFederation",
      {},
      /doesn't accept this workflow.*rejected by the attribute condition.*attribute condition with/s,
      2,
    ],
    [
      "no such provider",
      [],
      "directFederation",
      { audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q" },
      /no such workload identity provider.*invalid_target.*project NUMBER/s,
      2,
    ],
    [
      "identity token for another audience",
      [],
      "directFederation",
      { credential_source: { url: "AUDIENCE" } },
      /doesn't accept the audience.*The audience in ID Token \[somebody-else\].*allowed audiences/s,
      2,
    ],
    [
      "a clock that is off",
      ["stale-identity-token"],
      "directFederation",
      {},
      /clock is wrong.*stale to sign-in.*NTP/s,
      2,
    ],
    [
      "API disabled",
      ["disabled-iam-api"],
      "federatedServiceAccount",
      {},
      /API that these credentials need is not enabled.*iamcredentials.*gcloud services enable iamcredentials/s,
      3,
    ],
    [
      "getAccessToken denied",
      ["refuse-impersonation"],
      "federatedServiceAccount",
      {},
      /may not act as service account deployer@my-project.*PERMISSION_DENIED.*roles\/iam\.workloadIdentityUser/s,
      3,
    ],
    [
      "no such service account",
      [],
      "federatedServiceAccount",
      {
        service_account_impersonation_url:
          "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/gone@my-project.iam.gserviceaccount.com:generateAccessToken",
      },
      /There is no service account gone@my-project.*Gaia id not found/s,
      3,
    ],
    [
      "key deleted or expired",
      ["refuse-service-account-key"],
      "serviceAccountKey",
      {},
      /key is not valid.*invalid_grant: Invalid JWT Signature.*new key/s,
      1,
    ],
    [
      "account deleted",
      [],
      "serviceAccountKey",
      { client_email: "gone@my-project.iam.gserviceaccount.com" },
      /There is no service account gone@.*account not found/s,
      1,
    ],
    [
      "private key that is none",
      [],
      "serviceAccountKey",
      { private_key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" },
      /not a PEM key/,
      0,
    ],
    [
      "login ended",
      [],
      "authorizedUser",
      { refresh_token: "revoked" },
      /login has ended.*expired or revoked.*gcloud auth application-default login/s,
      1,
    ],
    [
      "request token of a job that has ended",
      [],
      "directFederation",
      { credential_source: { headers: { Authorization: "Bearer old" } } },
      /identity token.*answered 401.*id-token: write/s,
      1,
    ],
  ];
  test.each(refusals)("%s", async (_, faults, kind, changes, message, requests) => {
    const google = await startGoogle({ faults });
    const credentialsJson = JSON.stringify(
      merged(JSON.parse(await readFile(google.files[kind], "utf8")), changes),
    ).replace("AUDIENCE", `${google.url}/github/idtoken?audience=somebody-else`);
    const credentials = await googleCredentials({ credentialsJson }, google.environment);
    await expect(credentials.accessToken()).rejects.toThrow(message);
    expect(google.requests).toHaveLength(requests);
  });
});

describe("transient failures are retried", () => {
  test.each<keyof CredentialFiles>([
    "federatedServiceAccount",
    "directFederation",
    "serviceAccountKey",
    "authorizedUser",
    "impersonatedServiceAccount",
  ])("a 503 and a lost connection, then %s works", async (kind) => {
    const google = await startGoogle({ faults: ["unavailable-token-services"] });
    const credentials = await googleCredentials(
      {},
      { ...google.environment, GOOGLE_APPLICATION_CREDENTIALS: google.files[kind] },
    );
    expect(await credentials.accessToken()).toMatchObject({ value: google.lastToken() });
  });

  test("a service that never answers", async () => {
    const google = await startGoogle();
    await google.stop();
    const credentials = await googleCredentials(
      {},
      { ...google.environment, GOOGLE_APPLICATION_CREDENTIALS: google.files.serviceAccountKey },
    );
    await expect(credentials.accessToken()).rejects.toThrow(
      /No token could be fetched.*ECONNREFUSED.*HTTPS_PROXY/s,
    );
  });
});

/** The stand-in's environment without any credentials in it. */
function overrides({ environment }: Google): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => name === "HOME" || name.startsWith("GHA_ENDPOINT_OVERRIDE_"),
    ),
  );
}

function merged(base: Record<string, unknown>, changes: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = result[key];
    result[key] = typeof old === "object" && typeof value === "object" ? { ...old, ...value } : value;
  }
  return result;
}
