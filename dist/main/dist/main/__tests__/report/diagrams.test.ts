import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { timeline, trafficDiagram } from "../../src/report/diagrams.ts";
import type { Hop } from "../../src/report/hop.ts";
import type { RunReport } from "../../src/report/run-report.ts";

const READY: RunReport = {
  host: "my-release.milvus.io",
  isInDns: true,
  address: "203.0.113.1",
  certificateStatus: "Active",
  backends: { "k8s1-neg": "HEALTHY" },
  milvusVersion: "2.6.15",
  authentication: "required",
  changes: 1,
  steps: [],
};

/** Returns a report whose step on this hop failed, which knows only what comes before that hop. */
function failedAt(hop: Hop, known: Partial<RunReport>): RunReport {
  const steps = [
    { name: "Look and plan", begun: 0, duration: 1 },
    { name: "x", begun: 1, duration: 1, hop, hasFailed: true as const },
    { name: "Roll back to revision 1", begun: 2, duration: 1 },
  ];
  return { host: "my-release.milvus.io", changes: 1, steps, ...known };
}

/** Returns the class of each hop in a diagram. */
function statesIn(diagram: string): Record<string, string> {
  return Object.fromEntries(
    [...diagram.matchAll(/^ {2}(\w+)\["[^"]*"\]:::(\w+)$/gm)].map(([, hop, state]) => [hop, state]),
  );
}

describe("the way of the traffic", () => {
  test("is green as a whole when Milvus answers", () => {
    expect(trafficDiagram(READY, false).split("\n")).toEqual([
      "flowchart LR",
      '  clients["Clients"] -->|"my-release.milvus.io"| address',
      '  address["Address 203.0.113.1"]:::works',
      '  certificate["Certificate Active"]:::works',
      '  backends["Backends: 1 of 1 healthy"]:::works',
      '  pods["Milvus 2.6.15"]:::works',
      "  address --> certificate --> backends --> pods",
      "  classDef works fill:#1a7f37,stroke:#116329,color:#ffffff",
      "  classDef broken fill:#cf222e,stroke:#82071e,color:#ffffff",
      "  classDef unseen fill:#6e7781,stroke:#424a53,color:#ffffff",
    ]);
  });

  test("goes by address while the name leads elsewhere", () => {
    expect(trafficDiagram({ ...READY, isInDns: false }, false)).toContain(
      'clients["Clients"] -.->|"by address"| address',
    );
  });

  test.each<[Hop, Partial<RunReport>, Record<Hop, string>, number]>([
    ["address", {}, { address: "broken", certificate: "unseen", backends: "unseen", pods: "unseen" }, 0],
    [
      "certificate",
      { address: "203.0.113.1", certificateStatus: "Provisioning" },
      { address: "works", certificate: "broken", backends: "unseen", pods: "unseen" },
      1,
    ],
    [
      "backends",
      {
        address: "203.0.113.1",
        certificateStatus: "Active",
        backends: { "k8s1-neg": "UNHEALTHY", other: "HEALTHY" },
      },
      { address: "works", certificate: "works", backends: "broken", pods: "unseen" },
      2,
    ],
    ["pods", {}, { address: "unseen", certificate: "unseen", backends: "unseen", pods: "broken" }, 3],
  ])("is red at the hop on which the run failed: %s", (hop, known, states, link) => {
    const diagram = trafficDiagram(failedAt(hop, known), true);
    expect(statesIn(diagram)).toEqual(states);
    expect(diagram).toContain(`\n  linkStyle ${link} stroke:#cf222e`);
  });

  test("is red nowhere when the run succeeds, though a step failed on the way", () => {
    expect(Object.values(statesIn(trafficDiagram(failedAt("address", {}), false)))).not.toContain("broken");
  });

  test("no text from elsewhere ends a label or begins a statement", () => {
    const hostile = 'x"] --> y["\n  click pods href "https://evil.example"; %%{init}%% <script>#quot;`';
    const diagram = trafficDiagram(
      { ...READY, host: hostile, address: hostile, milvusVersion: hostile },
      false,
    );
    const expected = trafficDiagram(READY, false).split("\n");
    const lines = diagram.split("\n");
    expect(lines).toHaveLength(expected.length);
    for (const line of lines.slice(1, 6)) expect(line).toMatch(/^ {2}\w+\["[\w .,:/()#;-]*"\](:::\w+| -.*)$/);
    expect(diagram).not.toMatch(/[<`]|%%|\bclick pods href "/);
  });
});

test("docs/how-it-works.md shows the diagram as it is", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/how-it-works.md"), "utf8");
  const [, shown] = /```mermaid\n(.*?)\n```/s.exec(text) ?? [];
  const known = { isInDns: true, address: "203.0.113.10", certificateStatus: "Active" } as const;
  const backends = { one: "UNHEALTHY", other: "UNHEALTHY" };
  expect(shown).toBe(trafficDiagram(failedAt("backends", { ...known, backends }), true));
});

test("the timeline has each step's start and duration, and marks one that failed", () => {
  const begun = 1_900_000_000_000;
  const steps = [
    { name: "Look and plan", begun, duration: 400 },
    { name: "Wait: for; x#y", begun: begun + 400, duration: 0, hasFailed: true as const },
  ];
  expect(timeline(steps).split("\n")).toEqual([
    "gantt",
    "  dateFormat x",
    "  axisFormat %s s",
    "  section Steps",
    "  1. Look and plan, 0.4s :0, 400ms",
    "  2. Wait  for  x y, 0.0s :crit, 400, 1ms",
  ]);
});
