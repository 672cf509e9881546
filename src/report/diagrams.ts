import { formatDuration } from "../base/duration.ts";
import { isByName } from "./endpoint.ts";
import { HOPS, type Hop } from "./hop.ts";
import type { RunReport, StepRecord } from "./run-report.ts";

/** How a hop is: it works, it is why the run failed, or the run hasn't seen it working. */
type HopState = "works" | "broken" | "unseen";

/** Colours that can be read on GitHub's light and dark pages. */
const STYLES: Record<HopState, string> = {
  works: "fill:#1a7f37,stroke:#116329,color:#ffffff",
  broken: "fill:#cf222e,stroke:#82071e,color:#ffffff",
  unseen: "fill:#6e7781,stroke:#424a53,color:#ffffff",
};
const BROKEN_LINK = "stroke:#cf222e,stroke-width:3px";

/**
 * Returns the way of the traffic as a Mermaid flow chart, with the hop in red on which the run failed.
 *
 * @param failed whether the run failed
 */
export function trafficDiagram(report: RunReport, failed: boolean): string {
  const broken = failed ? report.steps.findLast(({ hasFailed }) => hasFailed)?.hop : undefined;
  const stateOf = (hop: Hop): HopState => {
    if (hop === broken) return "broken";
    return works(report, hop) ? "works" : "unseen";
  };
  const entry = isByName(report) ? `-->|"${label(report.host ?? "")}"|` : '-.->|"by address"|';
  return [
    "flowchart LR",
    `  clients["Clients"] ${entry} address`,
    ...HOPS.map((hop) => `  ${hop}["${label(titleOf(report, hop))}"]:::${stateOf(hop)}`),
    `  ${HOPS.join(" --> ")}`,
    ...Object.entries(STYLES).map(([state, style]) => `  classDef ${state} ${style}`),
    ...(broken === undefined ? [] : [`  linkStyle ${HOPS.indexOf(broken)} ${BROKEN_LINK}`]),
  ].join("\n");
}

/** Tells whether the run has seen a hop working. */
function works({ address, certificateStatus, backends, authentication }: RunReport, hop: Hop): boolean {
  switch (hop) {
    case "address":
      return address !== undefined;
    case "certificate":
      return certificateStatus === "Active";
    case "backends": {
      const health = Object.values(backends ?? {});
      return health.length > 0 && health.every((each) => each === "HEALTHY");
    }
    case "pods":
      return authentication !== undefined;
  }
}

function titleOf(report: RunReport, hop: Hop): string {
  switch (hop) {
    case "address":
      return report.address ? `Address ${report.address}` : "Address";
    case "certificate":
      return ["Certificate", report.certificateStatus ?? ""].join(" ").trim();
    case "backends": {
      const health = Object.values(report.backends ?? {});
      const healthy = health.filter((each) => each === "HEALTHY").length;
      return health.length > 0 ? `Backends: ${healthy} of ${health.length} healthy` : "Backends";
    }
    case "pods":
      return ["Milvus", report.milvusVersion ?? ""].join(" ").trim();
  }
}

/**
 * Returns the steps as a Mermaid Gantt chart, a failed one marked. Its axis has seconds since the run began:
 * `%s` are seconds since 1970, which don't depend on the reader's time zone.
 */
export function timeline(steps: readonly StepRecord[]): string {
  const begun = steps[0]?.begun ?? 0;
  return [
    "gantt",
    "  dateFormat x",
    "  axisFormat %s s",
    "  section Steps",
    ...steps.map(({ name, begun: start, duration, hasFailed }, index) => {
      const mark = hasFailed ? "crit, " : "";
      // A colon would end the name. Without its number, a name could begin with a
      // word of Mermaid's, such as call.
      const title = `${index + 1}. ${name.replace(/[^\w .,/()-]/g, " ")}, ${formatDuration(duration)}`;
      return `  ${title} :${mark}${start - begun}, ${Math.max(Math.round(duration), 1)}ms`;
    }),
  ].join("\n");
}

/** Returns a text that can't end a label or begin another statement. Mermaid shows `#35;` as a character. */
function label(text: string): string {
  return text.replace(/[^\w .,:/()-]/gu, (character) => `#${character.codePointAt(0)};`);
}
