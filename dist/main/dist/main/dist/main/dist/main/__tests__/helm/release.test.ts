import { describe, expect, test } from "vitest";
import { helmError } from "../../src/helm/error.ts";
import { revisionsThatCount } from "../../src/helm/release.ts";

describe("helmError", () => {
  test.each([
    ["keeps Helm's own words", "Error: UPGRADE FAILED: no space\n", "no space"],
    [
      "leaves warnings out",
      "WARNING: Kubernetes configuration file is group-readable.\nError: x\n",
      "Why: Error: x",
    ],
    [
      "leaves klog's lines out",
      "W0101 00:00:00.0 1 warnings.go:70] deprecated\nI0101 0 y\nError: x\n",
      "Why: Error: x",
    ],
    ["leaves Helm 4's own out", 'level=WARN msg="deprecated"\nError: x\n', "Why: Error: x"],
    ["keeps all lines of the rest", "Error: a\n\nb: c\n", "Why: Error: a\nb: c"],
    ["names the exit code when there is nothing else", "WARNING: x\n", "Why: exit code 2"],
  ])("%s", (_, stderr, expected) => {
    const { message } = helmError("It failed.", { exitCode: 2, stdout: "", stderr }, { fix: "mend it." });
    expect(message).toContain(expected);
    expect(message).toMatch(/^It failed\.\nWhy: /);
    expect(message).not.toMatch(/WARNING|deprecated/);
    expect(message).toMatch(/\nWhat to do: mend it\.$/);
  });
});

test.each<[string, string[], { newest: number; base: number } | undefined]>([
  ["the newest is deployed", ["superseded", "deployed"], { newest: 2, base: 2 }],
  ["the newest is pending", ["deployed", "pending-upgrade"], { newest: 2, base: 2 }],
  [
    "after a failed upgrade Helm goes on from what is deployed",
    ["deployed", "failed"],
    { newest: 2, base: 1 },
  ],
  ["after two failed upgrades too", ["deployed", "failed", "failed"], { newest: 3, base: 1 }],
  ["two rollbacks have overtaken each other", ["deployed", "superseded"], { newest: 2, base: 1 }],
  ["a failed first installation is all there is", ["failed"], { newest: 1, base: 1 }],
  ["no such release", [], undefined],
])("revisionsThatCount: %s", (_, statuses, expected) => {
  const revisions = statuses.map((status, index) => ({ revision: index + 1, status }));
  expect(revisionsThatCount(revisions)).toEqual(expected);
});
