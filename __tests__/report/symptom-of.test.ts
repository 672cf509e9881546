import { expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { readSettings } from "../../src/inputs/settings.ts";
import { symptomAddress, symptomOf } from "../../src/report/symptoms/symptom-of.ts";

const refused = new ActionError("helm upgrade of release r in namespace n failed.", {
  symptom: "webhook-silent",
});

test.each<[what: string, error: ActionError, id: string | undefined]>([
  ["its evidence", refused, "webhook-silent"],
  [
    "the evidence of the error behind it",
    new ActionError(`${refused.message}\nRelease r was rolled back to revision 1.`, { cause: refused }),
    "webhook-silent",
  ],
  ["its first line", new ActionError("There are no Google Cloud credentials."), "no-credentials"],
  [
    "its first line, not its evidence",
    new ActionError("There is no namespace n in the cluster; nothing was changed.", {
      why: "There are no Google Cloud credentials.",
    }),
    "no-namespace",
  ],
  [
    "an address that was reserved",
    new ActionError("Ingress n/i has no address 203.0.113.1 after 5m."),
    "no-address",
  ],
  ["a cluster", new ActionError("There is no cluster c in l of the project p."), "no-cluster"],
  ["a refusal", new ActionError("The cluster's API server rejects this job's credentials."), "api-server"],
  [
    "a right at Google",
    new ActionError("The credentials may not reserve the static address a."),
    "google-api",
  ],
  [
    "a mistake that it lists",
    new ActionError(
      "The manifests are not usable; nothing was changed.\n- a can't be read: it is a folder, not a file",
    ),
    "file-unreadable",
  ],
  ["nothing", new ActionError("Something new."), undefined],
])("an error is looked up by %s", (_, error, id) => {
  expect(symptomOf(error)).toBe(id);
});

test.each<[what: string, inputs: Record<string, string>, id: string]>([
  ["values that aren't YAML", { host: "milvus.example.com", values: "a: [" }, "yaml"],
  ["backend_config that isn't a map", { host: "milvus.example.com", backend_config: "- a" }, "yaml"],
  ["values that aren't YAML among other mistakes", { host: "", values: "a: [" }, "yaml"],
  ["a host that is missing", { host: "" }, "inputs"],
])("%s lead to the row for it", (_, inputs, id) => {
  const given = { ...inputs, cluster_name: "c", location: "us-central1" };
  const read = () =>
    readSettings((name) => Object.entries(given).find(([key]) => key === name)?.[1] ?? "", "/");
  expect(symptomOf(thrownBy(read))).toBe(id);
});

function thrownBy(work: () => unknown): ActionError {
  try {
    work();
  } catch (error) {
    if (error instanceof ActionError) return error;
  }
  throw new Error("no ActionError was thrown");
}

test.each<[what: string, environment: NodeJS.ProcessEnv, address: string]>([
  [
    "repository and version that the workflow names",
    { GITHUB_ACTION_REPOSITORY: "o/r", GITHUB_ACTION_REF: "v1" },
    "https://github.com/o/r/blob/v1/docs/troubleshooting.md#quota",
  ],
  [
    "a branch on another server",
    {
      GITHUB_ACTION_REPOSITORY: "o/r",
      GITHUB_ACTION_REF: "a/b c",
      GITHUB_SERVER_URL: "https://git.example.com",
    },
    "https://git.example.com/o/r/blob/a/b%20c/docs/troubleshooting.md#quota",
  ],
  [
    "nothing, for an action in the workflow's own repository",
    { GITHUB_ACTION_REPOSITORY: "", GITHUB_ACTION_REF: "" },
    "docs/troubleshooting.md#quota",
  ],
])("its address has %s", (_, environment, address) => {
  expect(symptomAddress("quota", environment)).toBe(address);
});
