import { describe, expect, test } from "vitest";
import type { Outcome, PlanReport, RunReport } from "../../src/report/run-report.ts";
import { shortenedSummary, summaryOf, wantedSummary } from "../../src/report/summary.ts";

const EMPTY: RunReport = { changes: 0, steps: [] };
const READY: RunReport = {
  host: "my-release.milvus.io",
  ingress: "default/my-release-milvus",
  address: "203.0.113.1",
  certificateStatus: "Active",
  certificateExpires: "2027-02-16T11:00:00Z",
  milvusVersion: "2.6.15",
  chartVersion: "5.0.19",
  releaseRevision: 4,
  backends: { "k8s1-neg": "HEALTHY", "k8s-be-30291--uid": "HEALTHY" },
  changes: 1,
  steps: [
    { name: "Look and plan", begun: 1000, duration: 400 },
    { name: "Wait for the address", begun: 1400, duration: 2_465_000, hop: "address" },
  ],
};

/** Returns the text between the fences of the first block of `language`. */
function block(summary: string, language: string): string {
  const [, marks, text] = new RegExp(`^(\`{3,})${language}\\n([\\s\\S]*?)\\n\\1$`, "m").exec(summary) ?? [];
  expect(marks).toBeDefined();
  return text ?? "";
}

test("the summary of a run that found nothing out has a heading", () => {
  expect(summaryOf(EMPTY, "deploy", undefined)).toBe("## Milvus behind a layer-7 load balancer\n");
});

test("the summary has the endpoint, the certificate, Milvus and the backends", () => {
  const summary = summaryOf(READY, "deploy", undefined);
  for (const row of [
    "| endpoint | `https://203.0.113.1:443` |",
    "| server name | `my-release.milvus.io` |",
    "| Ingress | `default/my-release-milvus` |",
    "| certificate | Active, expires 2027-02-16T11:00:00Z |",
    "| Milvus | `2.6.15` |",
    "| chart | `5.0.19` |",
    "| release revision | 4 |",
    "| backends | `k8s1-neg` HEALTHY<br>`k8s-be-30291--uid` HEALTHY |",
    "  2. Wait for the address, 41m 5s :400, 2465000ms",
  ]) {
    expect(summary.split("\n")).toContain(row);
  }
});

test("the endpoint's table has no server name once clients reach Milvus by name", () => {
  const lines = summaryOf({ ...READY, isInDns: true }, "deploy", undefined).split("\n");
  expect(lines).toContain("| endpoint | `https://my-release.milvus.io:443` |");
  expect(lines.filter((line) => line.includes("server name"))).toEqual([]);
});

test("links lead to the load balancers, the workloads and the namespace's logs in Google's console", () => {
  const summary = summaryOf({ ...READY, projectId: "my-project" }, "deploy", "x");
  const links = [...summary.matchAll(/\]\(<(https:\/\/console[^>]*)>\)/g)].map(
    ([, url]) => new URL(url ?? ""),
  );
  expect(links.map(({ pathname }) => pathname.split(";")[0])).toEqual([
    "/net-services/loadbalancing/list/loadBalancers",
    "/kubernetes/workload/overview",
    "/logs/query",
  ]);
  expect(links.map(({ searchParams }) => searchParams.get("project"))).toEqual(Array(3).fill("my-project"));
  expect(decodeURIComponent(links[2]?.pathname ?? "")).toContain(
    'query=resource.type="k8s_container"\nresource.labels.namespace_name="default"',
  );
  expect(summaryOf(READY, "deploy", "x")).not.toContain("console.cloud.google.com");
});

describe("a failure", () => {
  const URL = "https://github.com/o/r/blob/v1/docs/troubleshooting.md#quota";

  test("says what happened, why and what to do as prose that wraps", () => {
    const failure = "Ingress a/b has no address.\nWhy: <b>x</b> | y\nWhat to do: z";
    expect(summaryOf(READY, "deploy", failure).split("\n\n").slice(1, 4)).toEqual([
      "> [!CAUTION]\n> Ingress a/b has no address.",
      "**Why:** \\<b>x\\</b> | y",
      "**What to do:** z",
    ]);
  });

  test("lists mistakes, and makes no markup of a line's beginning", () => {
    const failure = "2 mistakes:\n- host: *\n# x\n1. y\nWhat to do: z\n- a\n> b";
    expect(summaryOf(READY, "deploy", failure).split("\n\n").slice(1, 8)).toEqual([
      "> [!CAUTION]\n> 2 mistakes:",
      "- host: \\*",
      "\\# x",
      "1\\. y",
      "**What to do:** z",
      "- a",
      "\\> b",
    ]);
  });

  test.each([
    ["of several lines", "the last lines:\n  panic: x\n\n  y", "  panic: x\n\n  y"],
    [
      "with a fence in it",
      "a\n```\n[link](https://example.com)\n````js",
      "```\n[link](https://example.com)\n````js",
    ],
  ])("shows evidence %s as it is", (_, why, evidence) => {
    const summary = summaryOf(READY, "deploy", `Broken.\nWhy: ${why}\nWhat to do: z`);
    expect(block(summary, "text")).toBe(evidence);
    expect(summary).toContain("\n\n**What to do:** z\n\n");
  });

  test.each([
    ["links to", URL, true],
    ["has no link to a path in place of", "docs/troubleshooting.md#quota", false],
  ])("%s the row that explains it", (_, explanation, isLinked) => {
    const summary = summaryOf({ ...READY, explanation }, "deploy", `x\nMore: ${explanation}`);
    expect(summary.includes(`\n\n[Cause and remedy](<${explanation}>)\n\n`)).toBe(isLinked);
    expect(summary).not.toContain("More:");
  });
});

describe("the plan", () => {
  const PLAN: PlanReport = {
    upgrade: ["value service.type changes"],
    later: [],
    values: [{ path: "service.type", before: "LoadBalancer", after: "ClusterIP" }, { path: "image.tag" }],
    objects: [
      { kind: "Ingress", name: "i", action: "create" },
      { kind: "Secret", name: "s", action: "keep" },
    ],
    fields: [],
    edits: [],
    restarts: [],
    consequences: [],
    lost: [],
  };

  test("shows what changes, and no value that may be secret", () => {
    const summary = summaryOf({ ...EMPTY, plan: PLAN }, "plan", undefined);
    expect(summary).toContain("### What a run would change\n\nOne Helm upgrade.\n\n");
    expect(summary).toContain("| value `service.type` | `LoadBalancer` | `ClusterIP` |");
    expect(summary).toContain("| value `image.tag` |  |  |");
    expect(summary).toContain("| Ingress `i` |  | create |");
    expect(summary).not.toContain("Secret");
    expect(summaryOf({ ...EMPTY, plan: PLAN }, "deploy", undefined)).toContain("### What changed");
    expect(summaryOf({ ...EMPTY, plan: PLAN }, "deploy", "x")).toContain(
      "### What the run would have changed",
    );
  });

  test("shows the consequences, the later upgrade and lost values", () => {
    const plan: PlanReport = {
      ...PLAN,
      later: ["value service.type changes"],
      fields: [],
      edits: [],
      restarts: ["Deployment my-release-milvus-standalone"],
      objects: [
        { kind: "static address", name: "a", action: "create" },
        { kind: "BackendConfig", name: "b", action: "take over" },
        { kind: "Secret", name: "t", action: "delete" },
      ],
      consequences: ["The layer-4 load balancer at 203.0.113.9 is deleted.", "Milvus itself speaks TLS."],
      lost: [{ path: 'extraConfigFiles."user.yaml"', revision: 3 }],
    };
    const summary = summaryOf({ ...EMPTY, plan }, "plan", undefined);
    for (const line of [
      "One Helm upgrade. Another once Milvus answers through the load balancer.",
      "| static address `a` |  | create |",
      "| BackendConfig `b` |  | take over |",
      "| Secret `t` |  | delete |",
      "| pods of Deployment my-release-milvus-standalone |  | replaced |",
      "> [!IMPORTANT]",
      "> - The layer-4 load balancer at 203.0.113.9 is deleted.",
      "> - Milvus itself speaks TLS.",
      '| `extraConfigFiles."user.yaml"` | 3 |',
    ]) {
      expect(summary.split("\n")).toContain(line);
    }
    expect(summary).toContain("Values that only earlier revisions have");
  });

  test("shows a later upgrade as the first one if there is no other", () => {
    const plan: PlanReport = {
      ...PLAN,
      upgrade: [],
      later: ["value service.type changes"],
      values: [],
      objects: [],
    };
    const summary = summaryOf({ ...EMPTY, plan }, "plan", undefined);
    expect(summary).not.toContain("Nothing to change");
    expect(summary).toContain("\n\nOne Helm upgrade, once Milvus answers through the load balancer.");
    expect(summary).not.toMatch(/No Helm upgrade|Another/);
  });

  test("says why the release is upgraded where no value tells", () => {
    const plan = { ...PLAN, upgrade: ["value image.tag changes", "the deployment before failed"] };
    expect(summaryOf({ ...EMPTY, plan }, "plan", undefined)).toContain(
      "One Helm upgrade, because the deployment before failed.",
    );
  });

  test.each(["plan", "deploy"] as const)("has no part of its own for nothing (%s)", (mode) => {
    const plan: PlanReport = {
      ...PLAN,
      upgrade: [],
      values: [],
      objects: [{ kind: "Ingress", name: "i", action: "keep" }],
    };
    expect(summaryOf({ ...EMPTY, plan }, mode, undefined)).toBe("## Nothing to change (0.0s)\n");
  });

  test.each([
    ["a pipe", "a | b"],
    ["a line break", "a\nb"],
    ["a carriage return", "a\r\nb\rc"],
    ["a backtick", "a`b`c"],
    ["an end of the table", "a`|\n\n# heading\n\n<script>"],
  ])("%s in a value stays in its cell", (_, value) => {
    const plan = {
      ...PLAN,
      values: [{ path: `extra.${JSON.stringify(value)}`, before: value, after: { x: value } }],
    };
    const lines = summaryOf({ ...EMPTY, plan }, "plan", undefined).split(/\r\n|\r|\n/);
    const start = lines.indexOf("| --- | --- | --- |");
    const rows = lines.slice(start + 1, start + 3);
    expect(rows[1]).toBe("| Ingress `i` |  | create |");
    expect(rows[0]?.split(/(?<!\\)\|/)).toHaveLength(5);
    expect(rows[0]?.match(/`/g)).toHaveLength(6);
  });
});

describe("the state of each change", () => {
  const PLAN: PlanReport = {
    upgrade: ["values change"],
    later: ["value service.type changes"],
    values: [
      { path: "image.tag", before: "a", after: "b" },
      { path: "service.type", before: "LoadBalancer", after: "ClusterIP", later: true },
    ],
    objects: [
      { kind: "ConfigMap", name: "c", action: "create", ofRelease: true },
      { kind: "BackendConfig", name: "b", action: "change" },
      { kind: "Ingress", name: "i", action: "create" },
    ],
    fields: [],
    edits: [],
    restarts: ["Deployment d"],
    consequences: [],
    lost: [],
  };
  const rows = (outcomes: Record<string, Outcome>, mode: "deploy" | "plan", failure?: string) =>
    summaryOf({ ...EMPTY, plan: PLAN, outcomes }, mode, failure)
      .split("\n")
      .filter((line) => /^\| (?!what|---)/.test(line))
      .map((line) => line.split(" | ").at(-1)?.replace(" |", ""));

  test.each<[string, Record<string, Outcome>, string[]]>([
    [
      "a failed upgrade that was rolled back",
      { upgrade: "taken back", "BackendConfig b": "done" },
      ["taken back", "not reached", "taken back", "done", "not reached", "taken back"],
    ],
    [
      "a refused Ingress",
      { upgrade: "done", "BackendConfig b": "done", "Ingress i": "failed" },
      ["done", "not reached", "done", "done", "failed", "done"],
    ],
    [
      "a run that did all",
      { upgrade: "done", "BackendConfig b": "done", "Ingress i": "done", "later upgrade": "done" },
      ["done", "done", "done", "done", "done", "done"],
    ],
  ])("%s", (_, outcomes, states) => {
    expect(rows(outcomes, "deploy", "x")).toEqual(states);
  });

  test("there is none in a plan, nor before the first change", () => {
    const summary = summaryOf({ ...EMPTY, plan: PLAN, outcomes: {} }, "deploy", "x");
    expect(summary).toContain("### What the run would have changed");
    expect(summary).toContain("| what | before | after |\n");
    expect(summaryOf({ ...EMPTY, plan: PLAN }, "plan", undefined)).toContain("| what | before | after |\n");
  });
});

test("the DNS record stands ready to be copied while the name leads elsewhere", () => {
  const record = "my-release.milvus.io. 300 IN A 203.0.113.1";
  const summary = summaryOf({ ...READY, isInDns: false }, "deploy", undefined);
  expect(block(summary, "text")).toBe(record);
  expect(summary).toContain("### Next: the DNS record");
  expect(summaryOf({ ...READY, isInDns: true }, "deploy", undefined)).not.toContain(record);
});

test("the diagram stands in a deployment's summary once the load balancer is begun", () => {
  expect(block(summaryOf(READY, "deploy", undefined), "mermaid")).toMatch(/^flowchart LR\n/);
  for (const mode of ["plan", "teardown"] as const) {
    expect(summaryOf(READY, mode, undefined)).not.toContain("flowchart");
  }
  const early = { ...READY, steps: [{ name: "Look and plan", begun: 1000, duration: 400 }] };
  expect(summaryOf(early, "deploy", "x")).not.toContain("flowchart");
});

describe("a summary that is too long for the runner", () => {
  const LIMIT = 1024 * 1024;

  test("is cut at the end", () => {
    const values = Array.from({ length: 20_000 }, (_, index) => ({
      path: `annotations.${"ä".repeat(40)}${index}`,
    }));
    const plan = {
      upgrade: [],
      later: [],
      values,
      objects: [],
      fields: [],
      edits: [],
      restarts: [],
      consequences: [],
      lost: [],
    };
    const summary = summaryOf({ ...READY, plan }, "deploy", undefined);
    expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(LIMIT);
    expect(Buffer.byteLength(summary)).toBeGreaterThan(LIMIT - 1000);
    expect(summary).toContain("| endpoint | `https://203.0.113.1:443` |");
    expect(summary.split("\n").at(-2)).toBe(
      "(The rest is left out, because the summary would be too long. The output `plan` has it.)",
    );
    expect(summary.split("\n").at(-4)).toMatch(/^\| value .* \|$/);
  });

  test("may have any number of backticks in it", () => {
    expect(summaryOf(EMPTY, "deploy", `x\nWhy: y\n${"x` ".repeat(300_000)}`)).toContain("\n```text\n");
  });
});

test("text from elsewhere makes no link, image, HTML or heading in the summary", () => {
  const evil = "<img src=x> ![x](https://evil.example/x.png) ` \\<b>\n# heading";
  const plan: PlanReport = {
    upgrade: [evil],
    later: [evil],
    values: [{ path: evil }],
    objects: [{ kind: evil, name: evil, action: "create" }],
    fields: [],
    edits: [],
    restarts: [evil],
    consequences: [evil],
    lost: [{ path: evil, revision: 1 }],
  };
  const known: RunReport = {
    ...READY,
    milvusVersion: evil,
    chartVersion: evil,
    backends: { [evil]: evil },
    plan,
  };
  const summary = summaryOf(known, "plan", undefined);
  // Nothing in code is markup, nor what has a backslash before it.
  const markup = summary.replace(/^```.*?^```/gms, "").replace(/^> \[!\w+\]$|\\.|`[^`\n]*`/gm, "");
  expect(markup.replaceAll(/<\/?(br|details|summary)>/g, "")).not.toMatch(/[<[]|^# /m);
});

describe("the first line", () => {
  const PLAN: PlanReport = {
    upgrade: [],
    later: [],
    values: [],
    objects: [{ kind: "Ingress", name: "i", action: "create" }],
    fields: [],
    edits: [],
    restarts: [],
    consequences: [],
    lost: [],
  };
  const NOTHING: PlanReport = { ...PLAN, objects: [{ kind: "Ingress", name: "i", action: "keep" }] };

  test.each<[string, RunReport, "deploy" | "plan" | "teardown", string | undefined, string]>([
    [
      "that Milvus answers",
      { ...READY, plan: PLAN, outcomes: { "Ingress i": "done" }, authentication: "required" },
      "deploy",
      undefined,
      "## Milvus 2.6.15 answers at https://203.0.113.1 (41m 5s, 1 object created)",
    ],
    [
      "how many objects of each kind of change were changed",
      {
        ...READY,
        plan: {
          ...PLAN,
          upgrade: ["values change"],
          objects: [...PLAN.objects, { kind: "Secret", name: "s", action: "delete" }],
          fields: ["a", "b"].map((name) => ({ kind: "Service", name, path: "x", before: "1", after: "2" })),
        },
        outcomes: { upgrade: "done", "Ingress i": "done" },
        authentication: "required",
      },
      "deploy",
      undefined,
      "## Milvus 2.6.15 answers at https://203.0.113.1 (41m 5s, 1 object created, 2 changed)",
    ],
    [
      "that only Helm had something to do",
      {
        ...READY,
        plan: { ...NOTHING, later: ["value service.type changes"] },
        outcomes: { "later upgrade": "done" },
      },
      "deploy",
      undefined,
      "## Deployed (41m 5s, Helm upgrade)",
    ],
    [
      "nothing to change",
      { ...READY, changes: 0, plan: NOTHING },
      "deploy",
      undefined,
      "## Nothing to change (41m 5s)",
    ],
    ["a plan", { ...EMPTY, plan: PLAN }, "plan", undefined, "## Plan: 1 object to create"],
    ["a plan without changes", { ...EMPTY, plan: NOTHING }, "plan", undefined, "## Nothing to change (0.0s)"],
    [
      "a teardown",
      {
        ...READY,
        plan: { ...PLAN, objects: [{ kind: "Ingress", name: "i", action: "delete" }] },
        outcomes: { "Ingress i": "done" },
      },
      "teardown",
      undefined,
      "## Torn down (41m 5s, 1 object deleted)",
    ],
    ["where it failed", READY, "deploy", "x", "## Failed in step: Wait for the address (41m 5s)"],
    [
      "where it failed, not where it cleaned up",
      {
        ...READY,
        steps: [
          { name: "Upgrade the Helm release", begun: 0, duration: 60_000, hasFailed: true },
          { name: "Roll back to revision 3", begun: 60_000, duration: 1000 },
        ],
        outcomes: { upgrade: "taken back" },
      },
      "deploy",
      "x",
      "## Failed in step: Upgrade the Helm release (1m 1s), rolled back",
    ],
  ])("says %s", (_, report, mode, failure, line) => {
    expect(summaryOf(report, mode, failure).split("\n")[0]).toBe(line);
  });

  test("is followed by a fold when nothing changed, unless all is wanted", () => {
    const report = { ...READY, changes: 0, plan: NOTHING };
    const short = wantedSummary(report, { mode: "deploy", summary: "changes" }, undefined);
    expect(short).toMatch(
      /^## Nothing to change \(41m 5s\)\n\nEndpoint `https:\/\/203\.0\.113\.1:443`, Ingress `default\/my-release-milvus`\.\n\nCertificate: Active, expires 2027-02-16T11:00:00Z\. Milvus: `2\.6\.15`\.\n\n<details>/,
    );
    const full = wantedSummary(report, { mode: "deploy", summary: "full" }, undefined);
    expect(full).toBe(summaryOf(report, "deploy", undefined));
    expect(wantedSummary(report, { mode: "deploy", summary: "none" }, undefined)).toBe("");
  });

  test("stays when the output is shortened", () => {
    const long = `## Verdict\n\n${"x\n".repeat(100_000)}`;
    expect(shortenedSummary(long).length).toBeLessThanOrEqual(64_000);
    expect(shortenedSummary(long)).toMatch(/^## Verdict\n/);
  });
});
