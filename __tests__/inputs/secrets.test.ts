import { dump } from "js-yaml";
import { expect, test } from "vitest";
import { secretsOf } from "../../src/inputs/secrets.ts";
import { readSettings } from "../../src/inputs/settings.ts";

const REQUIRED = { host: "my-release.milvus.io", location: "us-central1", cluster_name: "milvus" };

function secretsWith(inputs: Record<string, string>): string[] {
  const all: Record<string, string> = { ...REQUIRED, ...inputs };
  return secretsOf(readSettings((name) => all[name] ?? "", "/"));
}

const KUBECONFIG = {
  clusters: [{ name: "c", cluster: { server: "https://192.0.2.1" } }],
  contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
  "current-context": "c",
  users: [
    { name: "token", user: { token: "bearer-token", tokenFile: "/etc/token-file" } },
    { name: "basic", user: { username: "administrator", password: "a-password" } },
    { name: "key", user: { "client-key-data": "S0VZIERBVEE=", "client-key": "/etc/client-key" } },
    { name: "short", user: { password: "users" } },
    {
      name: "plugin",
      user: {
        "auth-provider": {
          name: "oidc",
          config: { "id-token": "the-id-token", "idp-issuer-url": "https://i" },
        },
        exec: {
          command: "gke-gcloud-auth-plugin",
          env: [
            { name: "AWS_SECRET_ACCESS_KEY", value: "an-access-key" },
            { name: "AWS_PROFILE", value: "production" },
          ],
        },
      },
    },
  ],
};
const IN_KUBECONFIG = ["bearer-token", "a-password", "S0VZIERBVEE=", "the-id-token", "an-access-key"];

test("a kubeconfig's credentials are secret, and so is its whole text if it is one line", () => {
  const [yaml, json] = [dump(KUBECONFIG), JSON.stringify(KUBECONFIG)];
  const base64 = Buffer.from(yaml).toString("base64");
  expect(secretsWith({ kubeconfig: yaml })).toEqual(IN_KUBECONFIG);
  expect(secretsWith({ kubeconfig: json })).toEqual([json, ...IN_KUBECONFIG]);
  expect(secretsWith({ kubeconfig: base64 })).toEqual([base64, ...IN_KUBECONFIG]);
  expect(secretsWith({ kubeconfig: "/home/runner/.kube/config" })).toEqual([]);
  expect(secretsWith({ kubeconfig: "users: [\ntoken: x" })).toEqual([]);
});

const PEM =
  "-----BEGIN PRIVATE KEY-----\nfirst line of key\nsecond line of key\nQA==\n-----END PRIVATE KEY-----\n";
const KEY_FILE = {
  type: "service_account",
  project_id: "my-project",
  private_key: PEM,
  client_email: "deployer@my-project.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};
const IN_KEY_FILE = [JSON.stringify(PEM).slice(1, -1), "first line of key", "second line of key"];

test("the key in credentials_json is secret line by line, and so is the whole text if it is one line", () => {
  const json = JSON.stringify(KEY_FILE);
  expect(secretsWith({ credentials_json: json })).toEqual([json, ...IN_KEY_FILE]);
  expect(secretsWith({ credentials_json: JSON.stringify(KEY_FILE, undefined, 2) })).toEqual(IN_KEY_FILE);
  const federated = {
    type: "external_account",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    credential_source: { url: "https://issuer.example", headers: { Authorization: "Bearer of-this-job" } },
  };
  expect(secretsWith({ credentials_json: JSON.stringify(federated, undefined, 2) })).toEqual([
    "Bearer of-this-job",
  ]);
});

test("milvus_token is secret, and so is the decoded password of chart_repository", () => {
  expect(secretsWith({ chart_repository: "https://ci:p%3Ass@charts.example" })).toEqual(["p:ss"]);
  expect(secretsWith({ milvus_token: "a:b" })).toEqual(["a:b"]);
  expect(secretsWith({})).toEqual([]);
});
