import { expect, test } from "vitest";
import { lastDeployed, type Revision } from "../../src/helm/history.ts";

const COMPLETE = "Upgrade complete";

test.each<[string, [status: string, description: string][], number | undefined]>([
  [
    "the deployed one, whatever came after it",
    [
      ["superseded", COMPLETE],
      ["deployed", COMPLETE],
      ["failed", "Upgrade failed"],
      ["pending-upgrade", "Preparing upgrade"],
    ],
    2,
  ],
  [
    "killed before the new revision was called deployed: the one it has superseded",
    [
      ["superseded", "Install complete"],
      ["superseded", "Rollback to 1"],
      ["pending-upgrade", "Preparing upgrade"],
    ],
    2,
  ],
  [
    "not a failed one that a failed rollback has superseded",
    [
      ["superseded", COMPLETE],
      ["superseded", 'Upgrade "my-release" failed: context deadline exceeded'],
      ["failed", 'Rollback "my-release" failed: no space'],
    ],
    1,
  ],
  [
    "one whose description is somebody's own words, whatever they say",
    [
      [
        "superseded",
        "acme/failed-experiments@1a2b3c4, https://github.com/acme/failed-experiments/actions/runs/1",
      ],
      ["pending-upgrade", "Preparing upgrade"],
    ],
    1,
  ],
  [
    "never deployed",
    [
      ["failed", "Release failed"],
      ["pending-upgrade", ""],
    ],
    undefined,
  ],
  ["no such release", [], undefined],
])("the revision to go back to: %s", (_, history, expected) => {
  const revisions: Revision[] = history.map(([status, description], index) => ({
    revision: index + 1,
    status,
    updated: "2030-01-02T03:04:05Z",
    description,
  }));
  expect(lastDeployed(revisions)?.revision).toBe(expected);
});
