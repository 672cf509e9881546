import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { credentialFilesIn } from "../../local-gke/google/identities.ts";
import { CHART, useCluster } from "./support/cluster.ts";
import { documentedInputs, withSecrets } from "./support/documented.ts";
import { canMountServiceAccount, mountServiceAccount } from "./support/mounted-service-account.ts";
import { expectSuccess, planOf } from "./support/results.ts";

const DOCUMENTED = documentedInputs("authentication.md");
/** What google-github-actions/auth sets, which a job without it doesn't have. */
const WITHOUT_AUTH = Object.fromEntries(
  [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_GHA_CREDS_PATH",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
    "CLOUDSDK_CORE_PROJECT",
    "CLOUDSDK_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "GCP_PROJECT",
  ].map((name) => [name, ""]),
);

const IN_CLUSTER = "A runner in the cluster";

const cluster = useCluster();
beforeAll(() => cluster.installSmall("default"));
afterAll(() => cluster.helm("uninstall", "my-release", "-n", "default"));

interface Setting {
  environment?: Record<string, string>;
  secrets?: Record<string, string>;
}

/** What each way in finds on its runner. */
const WAYS: Record<string, () => Setting | Promise<Setting>> = {
  "Workload identity federation, directly": () => ({ environment: WITHOUT_AUTH }),
  "Workload identity federation, through a service account": () => ({ environment: WITHOUT_AUTH }),
  "With google-github-actions/auth": () => ({}),
  "Service account key": async () => ({
    environment: WITHOUT_AUTH,
    secrets: {
      GOOGLE_CREDENTIALS: await readFile(credentialFilesIn(cluster.gke.directory).serviceAccountKey, "utf8"),
    },
  }),
  "A runner on Google Cloud": () => ({
    environment: { ...WITHOUT_AUTH, GCE_METADATA_HOST: new URL(googleUrl()).host },
  }),
  "gcloud's login": async () => ({ environment: { ...WITHOUT_AUTH, PATH: await pathWithGcloud() } }),
  "A kubeconfig": async () => ({
    environment: WITHOUT_AUTH,
    secrets: { KUBECONFIG: await readFile(cluster.gke.kubeconfig, "utf8") },
  }),
  [IN_CLUSTER]: async () => ({
    environment: { ...WITHOUT_AUTH, ...(await mountServiceAccount(cluster, "runner")) },
  }),
  "Connect gateway": () => ({
    environment: {
      ...WITHOUT_AUTH,
      // Google's own gateway has a certificate that every machine trusts.
      SSL_CERT_FILE: join(cluster.gke.directory, "connect-gateway-ca.crt"),
    },
  }),
};

function googleUrl(): string {
  return cluster.gke.env.GHA_ENDPOINT_OVERRIDE_oauth2 ?? "";
}

/** A PATH with the tools and a program that answers as gcloud does. */
async function pathWithGcloud(): Promise<string> {
  const { client_id, client_secret, refresh_token } = JSON.parse(
    await readFile(credentialFilesIn(cluster.gke.directory).authorizedUser, "utf8"),
  );
  const body = new URLSearchParams({ grant_type: "refresh_token", client_id, client_secret, refresh_token });
  const answer = await fetch(`${googleUrl()}/token`, { method: "POST", body });
  const { access_token }: { access_token?: string } = JSON.parse(await answer.text());
  const session = {
    configuration: { properties: { core: { account: "me@example.com", project: "my-project" } } },
    credential: { access_token, token_expiry: new Date(Date.now() + 3_600_000).toISOString() },
  };
  const directory = await mkdtemp(join(cluster.gke.directory, "gcloud-"));
  await writeFile(join(directory, "gcloud"), `#!/bin/sh\necho '${JSON.stringify(session)}'\n`);
  await chmod(join(directory, "gcloud"), 0o755);
  return [directory, dirname(cluster.tools.helm4), dirname(cluster.tools.kubectl), "/bin", "/usr/bin"].join(
    ":",
  );
}

test("every workflow of the document is run here", () => {
  expect([...DOCUMENTED.keys()]).toEqual(Object.keys(WAYS));
});

test.for([...DOCUMENTED])("%s", async ([way, documentedWay], { skip }) => {
  if (way === IN_CLUSTER && !canMountServiceAccount()) skip();
  const { environment = {}, secrets = {} } = (await WAYS[way]?.()) ?? {};
  const job = await cluster.job({ environment });
  const inputs = withSecrets(documentedWay, secrets);
  const result = expectSuccess(
    await job.main({ ...inputs, chart: CHART, mode: "plan", gcloud_version: "none" }),
  );
  expect(result.outputs.changed).toBe("false");
  const ownPod = result.lines.filter((line) =>
    line.startsWith("No input names a cluster: the one of this runner's pod"),
  );
  expect(ownPod).toEqual(
    way === IN_CLUSTER ? [expect.stringMatching(/, as system:serviceaccount:default:runner\.$/)] : [],
  );
  expect(planOf(result)).toMatchObject({
    upgrade: expect.arrayContaining([expect.any(String)]),
  });
});
