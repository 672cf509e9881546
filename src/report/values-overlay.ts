import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { info } from "../base/log.ts";
import type { Session } from "./session.ts";

/**
 * Reports the values that later upgrades must carry, and writes them to a file for later steps of the job.
 */
export async function reportOverlay(
  { report, directory }: Pick<Session, "report" | "directory">,
  overlay: string,
): Promise<void> {
  report.valuesOverlay = overlay;
  report.valuesOverlayFile = join(directory, "values-overlay.yaml");
  await writeFile(report.valuesOverlayFile, overlay);
}

/** Says after the first deployment what would undo it. */
export function logOverlay(
  { report: { valuesOverlayFile } }: Pick<Session, "report">,
  release: string,
): void {
  info(
    `An upgrade of release ${release} from elsewhere undoes this one, unless it carries the values that this action has set: helm upgrade ${release} CHART ... --values ${valuesOverlayFile} (output values_overlay), or --reset-then-reuse-values.`,
  );
}
