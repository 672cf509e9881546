import { expect, test } from "vitest";
import { commentMarker, commentText } from "../../src/report/comment.ts";
import type { RunReport } from "../../src/report/run-report.ts";
import { settings } from "../support/observed.ts";

const SETTINGS = settings({ mode: "plan", namespace: "vectors", release: "search" });

test("each release of each cluster has a comment of its own", () => {
  const gke = { kubeconfig: "", cluster_name: "c", location: "us-central1" };
  const inputs = [
    {},
    { namespace: "other" },
    { release: "other" },
    { context: "other" },
    gke,
    { ...gke, cluster_name: "other" },
    { ...gke, location: "europe-west4" },
  ];
  const markers = inputs.map((each) => commentMarker(settings(each)));
  expect(new Set(markers).size).toBe(inputs.length);
});

test("no name ends the marker early", () => {
  const context = "a --> <b> -- c";
  const marker = commentMarker(settings({ context }));
  expect(marker).toMatch(/^<!--(?!.*(--|[<>]).*-->).*-->$/);
});

test("the comment is the summary, short when nothing changes, with release, commit and run", () => {
  const report: RunReport = {
    changes: 0,
    steps: [],
    plan: {
      upgrade: [],
      later: [],
      values: [],
      objects: [{ kind: "Ingress", name: "i", action: "keep" }],
      fields: [],
      edits: [],
      restarts: [],
      consequences: [],
      lost: [],
    },
  };
  const text = commentText(report, SETTINGS, undefined, "acme/search@1a2b3c4, https://github.com/x");
  expect(text).toMatch(/^## Nothing to change \(/);
  expect(text).toContain("<details>");
  expect(text.trimEnd().split("\n").at(-1)).toBe(
    "<sub>Milvus release `vectors/search`, acme/search@1a2b3c4, https://github.com/x</sub>",
  );
});
