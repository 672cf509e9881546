import { expect, test } from "vitest";
import { type ChartVersions, describeVersionChange, trapsBetween } from "../../src/helm/version-change.ts";

const NOW: ChartVersions = { chart: "5.0.19", app: "2.6.15" };

test.each<[string, ChartVersions, ChartVersions, string | undefined]>([
  ["the same", NOW, NOW, undefined],
  ["newer ones of the same major version", NOW, { chart: "5.1.0", app: "2.7.0" }, undefined],
  [
    "a downgrade of the chart",
    NOW,
    { chart: "5.0.18", app: "2.6.15" },
    "a downgrade of the chart from 5.0.19 to 5.0.18:",
  ],
  [
    "a downgrade of both",
    NOW,
    { chart: "4.2.0", app: "2.5.4" },
    "a downgrade of the chart from 5.0.19 to 4.2.0 and a downgrade of Milvus from 2.6.15 to 2.5.4:",
  ],
  [
    "a new major version of the chart",
    { chart: "4.2.64", app: "2.6.1" },
    NOW,
    "a new major version of the chart, 5.0.19 after 4.2.64:",
  ],
  [
    "a new major version of Milvus only",
    NOW,
    { chart: "5.1.0", app: "v3.0.0" },
    "a new major version of Milvus, v3.0.0 after 2.6.15:",
  ],
  [
    "a release candidate is older",
    NOW,
    { chart: "5.0.19-rc.1", app: "2.6.15" },
    "from 5.0.19 to 5.0.19-rc.1:",
  ],
  ["an app version that isn't semantic", NOW, { chart: "5.0.20", app: "master-latest" }, undefined],
  ["no app version", { ...NOW, app: "" }, { chart: "5.0.20", app: "1.0.0" }, undefined],
])("%s", (_, before, after, expected) => {
  const sentence = describeVersionChange(before, after);
  if (expected === undefined) expect(sentence).toBeUndefined();
  else expect(sentence).toMatch(/^The upgrade is .*: see Milvus's upgrade guide/);
  expect(sentence ?? "").toContain(expected ?? "");
});

test.each([
  ["5.0.19", "5.0.20", 0],
  ["4.2.20", "4.2.30", 1],
  ["4.2.21", "4.2.30", 0],
  ["3.2.9", "5.0.0", 3],
  ["5.0.0", "4.2.0", 0],
  ["x", "5.0.0", 0],
])("trapsBetween: %s and %s", (before, after, count) => {
  expect(trapsBetween(before, after)).toHaveLength(count);
});
