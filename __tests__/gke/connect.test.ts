import { readFileSync, watch } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { CredentialFiles } from "../../local-gke/google/identities.ts";
import { connectToCluster } from "../../src/gke/connect.ts";
import { privateDirectory } from "../../src/gke/kubeconfig.ts";
import { CLUSTER, type Google, startGoogle, temporaryDirectory } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const log = captureLog();

async function connect(google: Google, projectId: string | undefined, environment = google.environment) {
  const directory = await privateDirectory(google.environment);
  const warnings: string[] = [];
  const connection = await connectToCluster(
    { ...CLUSTER, projectId, endpoint: "auto" },
    {},
    directory,
    environment,
    (message) => warnings.push(message),
  );
  return { ...connection, tokenFile: join(directory, "token"), warnings };
}

test("credentials, cluster, kubeconfig: four requests in all", async () => {
  const google = await startGoogle();
  const { cluster, kubeconfig, tokenFile, stop } = await connect(google, undefined);
  stop();
  expect(cluster).toMatchObject(CLUSTER);
  expect(dirname(kubeconfig.path)).toBe(dirname(tokenFile));
  const content = await readFile(kubeconfig.path, "utf8");
  expect(content).toContain(`tokenFile: ${tokenFile}`);
  expect(content).not.toContain(google.lastToken());
  expect(await readFile(tokenFile, "utf8")).toBe(google.lastToken());
  expect(google.requests.map((request) => request.split(/[ /]/)[2])).toEqual([
    "github",
    "sts",
    "iamcredentials",
    "container",
  ]);
});

test.each<[kind: keyof CredentialFiles, paid: string[]]>([
  ["authorizedUser", ["GET /container"]],
  ["impersonatedServiceAccount", ["POST /iamcredentials", "GET /container"]],
  ["serviceAccountKey", ["GET /container"]],
])("the quota project of %s pays for requests", async (kind, paid) => {
  const google = await startGoogle();
  const file = join(await temporaryDirectory(), "credentials.json");
  const credentials = JSON.parse(await readFile(google.files[kind], "utf8"));
  await writeFile(file, JSON.stringify({ ...credentials, quota_project_id: "billing" }));
  const environment = { ...google.environment, GOOGLE_APPLICATION_CREDENTIALS: file };
  (await connect(google, "my-project", environment)).stop();
  expect(google.quotaProjects.map((line) => line.replace(/^(\w+ \/\w+)\/.* /, "$1 "))).toEqual(
    paid.map((request) => `${request} billing`),
  );
});

test("GOOGLE_CLOUD_QUOTA_PROJECT wins over the file's, and nothing is sent without either", async () => {
  const google = await startGoogle();
  (await connect(google, undefined)).stop();
  expect(google.quotaProjects).toEqual([]);
  (await connect(google, undefined, { ...google.environment, GOOGLE_CLOUD_QUOTA_PROJECT: "other" })).stop();
  expect(google.quotaProjects).toContainEqual(expect.stringMatching(/^GET \/container\/.* other$/));
});

test("a token that lives a second is replaced by masked ones while the job runs", async () => {
  const google = await startGoogle({ expiresInSeconds: 1 });
  const { tokenFile, warnings, stop } = await connect(google, "my-project");
  const seen = new Set([readFileSync(tokenFile, "utf8")]);
  const replaced = Promise.withResolvers<void>();
  const watcher = watch(dirname(tokenFile), () => {
    seen.add(readFileSync(tokenFile, "utf8"));
    if (seen.size === 3) replaced.resolve();
  });
  await replaced.promise;
  watcher.close();
  stop();
  expect(warnings).toEqual([]);
  for (const token of seen) expect(log.text.split("\n")).toContain(`::add-mask::${token}`);
});

test("a project that is not set anywhere is refused, naming project_id", async () => {
  const google = await startGoogle();
  const environment = Object.fromEntries(
    Object.entries(google.environment).filter(([name]) => !name.includes("PROJECT")),
  );
  environment.GOOGLE_APPLICATION_CREDENTIALS = google.files.directFederation;
  await expect(connect(google, undefined, environment)).rejects.toThrow(
    /project.*not known.*input project_id/s,
  );
  expect(google.requests).toEqual([]);
});
