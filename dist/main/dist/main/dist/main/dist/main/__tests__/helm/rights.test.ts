import { describe, expect, test } from "vitest";
import { verbsOfUpgrade } from "../../src/helm/rights.ts";
import type { Verb } from "../../src/kubernetes/rights.ts";

const object = (kind: string, rest: object = {}) =>
  JSON.stringify({ apiVersion: "v1", kind, metadata: { name: "it" }, ...rest });
const [same, old, fresh] = [object("Service"), object("ConfigMap", { a: 1 }), object("ConfigMap", { a: 2 })];
const kept = object("Claim", {
  metadata: { name: "it", annotations: { "helm.sh/resource-policy": "keep" } },
});

describe("verbsOfUpgrade", () => {
  test.each<[string, string[], string[], { client: string; server: string; withoutRollback: string }]>([
    [
      "an object that stays as it is",
      [same],
      [same],
      { client: "get", server: "get patch", withoutRollback: "get" },
    ],
    [
      "one that changes",
      [old],
      [fresh],
      { client: "get patch", server: "get patch", withoutRollback: "get patch" },
    ],
    [
      "a new one, which a rollback deletes",
      [],
      [fresh],
      { client: "get create delete", server: "get create patch delete", withoutRollback: "get create" },
    ],
    [
      "one that goes, which a rollback makes again",
      [old],
      [],
      { client: "get delete create", server: "get delete create patch", withoutRollback: "get delete" },
    ],
    [
      "one that goes from the release but stays in the cluster",
      [kept],
      [],
      { client: "get", server: "get", withoutRollback: "get" },
    ],
  ])("%s", (_, before, after, expected) => {
    const verbs = (serverSide: boolean, rollsBack: boolean): Verb[] | undefined => {
      const upgrade = { before: before.join("\n---\n"), after: after.join("\n---\n"), hooks: [] };
      return verbsOfUpgrade({ namespace: "n", ...upgrade, serverSide, rollsBack })[0]?.verbs.slice();
    };
    expect(verbs(false, true)?.join(" ")).toBe(expected.client);
    expect(verbs(true, true)?.join(" ")).toBe(expected.server);
    expect(verbs(false, false)?.join(" ")).toBe(expected.withoutRollback);
  });

  test.each<[string, string[], boolean, string | undefined]>([
    ["a Job before the upgrade", ["pre-upgrade"], false, "get create delete list watch"],
    ["a Job before the upgrade, server-side", ["pre-upgrade"], true, "get create delete patch list watch"],
    ["a Job after a rollback", ["post-rollback"], false, "get create delete list watch"],
    ["a Job of the installation, or of a test", ["post-install", "test"], false, undefined],
  ])("a hook: %s", (_, events, serverSide, expected) => {
    const hooks = [{ manifest: object("Job"), events }];
    const upgrade = { namespace: "n", before: same, after: same, hooks, rollsBack: true };
    const job = verbsOfUpgrade({ ...upgrade, serverSide }).find(({ kind }) => kind === "Job");
    expect(job?.verbs.join(" ")).toBe(expected);
  });

  test("an object's namespace is that of the release unless it names one", () => {
    const named = object("Role", { metadata: { name: "it", namespace: "other" } });
    const verbs = verbsOfUpgrade({
      namespace: "n",
      before: "",
      after: `${same}\n---\n${named}`,
      hooks: [],
      serverSide: false,
      rollsBack: false,
    });
    expect(verbs.map(({ kind, namespace }) => [kind, namespace])).toEqual([
      ["Service", "n"],
      ["Role", "other"],
    ]);
  });
});
