import { describe, expect, test } from "vitest";
import type { AccessRule } from "../../src/kubernetes/access-rules.ts";
import { refuseMissingRights } from "../../src/kubernetes/permissions.ts";
import {
  CLEAR,
  FRONTEND_CONFIG,
  LOAD_BALANCER,
  MANAGED_CERTIFICATE,
  RELEASE,
  REMOVE,
  type Right,
  rightsIn,
  TEARDOWN,
  without,
} from "../../src/kubernetes/rights.ts";

const ALL = rightsIn(
  "milvus",
  RELEASE,
  LOAD_BALANCER,
  MANAGED_CERTIFICATE,
  FRONTEND_CONFIG,
  TEARDOWN,
  Object.values(CLEAR),
  Object.values(REMOVE),
);

/** The error for an account that has all rights but these. */
async function errorWithout(...missing: Right[]): Promise<string> {
  const allows = async (right: Right) => !missing.includes(right);
  const needed = without([...ALL, ...missing], []);
  return refuseMissingRights({ allows, rulesIn: async () => [] }, needed).then(
    () => expect.unreachable("it was accepted"),
    (error: Error) => error.message,
  );
}

test("rightsIn names each right once", () => {
  expect(rightsIn("a", [["pods", "get", "list"]], [["pods", "list"]])).toEqual([
    { namespace: "a", resource: "pods", verb: "get" },
    { namespace: "a", resource: "pods", verb: "list" },
  ]);
});

test("without leaves out what is asked for elsewhere", () => {
  const [first, ...rest] = ALL;
  expect(without([...ALL, ...ALL], first ? [{ ...first }] : [])).toEqual(rest);
});

describe("refuseMissingRights", () => {
  const inMilvus = { namespace: "milvus", verb: "get" } as const;
  const secrets: Right = { ...inMilvus, resource: "secrets" };
  const pods: Right = { ...inMilvus, resource: "pods" };
  const SECRETS = { verbs: ["*"], apiGroups: [""], resources: ["secrets"], resourceNames: [] };

  /** Returns the rights that are asked for one by one, where the API server names these rules. */
  async function askedBeside(rules: Record<string, AccessRule[]>, needed: Right[]): Promise<Right[]> {
    const asked: Right[] = [];
    const allows = async (right: Right) => asked.push(right) > 0;
    await refuseMissingRights({ allows, rulesIn: async (namespace) => rules[namespace] ?? [] }, needed);
    return asked;
  }

  test("asks for each right once, and is content with all of them", async () => {
    expect(await askedBeside({}, ALL)).toEqual(ALL);
  });

  test("doesn't ask for a right that a rule of its namespace gives", async () => {
    const elsewhere = { ...secrets, namespace: "other" };
    const needed = [secrets, pods, elsewhere];
    expect(await askedBeside({ milvus: [SECRETS] }, needed)).toEqual([pods, elsewhere]);
  });

  test("asks for rights in the whole cluster, whose rules nobody can name", async () => {
    const everywhere = { ...secrets, namespace: "" };
    expect(await askedBeside({ "": [SECRETS] }, [everywhere])).toEqual([everywhere]);
  });
});

test.each(ALL.map((right) => [`${right.verb} ${right.resource}`, right] as const))(
  "without %s a run is refused",
  async (name, right) => {
    expect(await errorWithout(right)).toBe(
      "The account lacks rights that this run needs; nothing was changed.\n" +
        `Why: in namespace milvus it may not: ${name}.\n` +
        "What to do: grant it roles/container.developer in the cluster's project, or a Role with these rights (docs/permissions.md).",
    );
  },
);

describe("the role that has what is missing", () => {
  const roles = "roles.rbac.authorization.k8s.io";
  test.each<[string, Right, RegExp]>([
    [
      "roles/container.admin for a change of Roles",
      { namespace: "milvus", resource: roles, verb: "patch" },
      /grant it roles\/container\.admin in the cluster's project, or a Role with these rights.*roles\/container\.developer is not enough: it may only read Roles and RoleBindings\.$/,
    ],
    [
      "roles/container.developer for reading them",
      { namespace: "milvus", resource: roles, verb: "get" },
      /grant it roles\/container\.developer/,
    ],
    [
      "a ClusterRole for objects of the whole cluster",
      { namespace: "", resource: "priorityclasses.scheduling.k8s.io", verb: "get" },
      /in the whole cluster it may not: get priorityclasses.*or a ClusterRole with these rights/s,
    ],
  ])("%s", async (_, right, expected) => {
    expect(await errorWithout(right)).toMatch(expected);
  });
});
