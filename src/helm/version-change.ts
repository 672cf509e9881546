import semver from "semver";

/** The versions of a chart and of the Milvus in it. */
export interface ChartVersions {
  chart: string;
  app: string;
}

/**
 * Returns a sentence when another chart is a downgrade or another major version, of the chart itself or of Milvus;
 * undefined when there is nothing to announce. A version that isn't semantic isn't compared.
 */
export function describeVersionChange(before: ChartVersions, after: ChartVersions): string | undefined {
  const changes = [
    ...describe("the chart", before.chart, after.chart),
    ...describe("Milvus", before.app, after.app),
  ];
  if (changes.length === 0) return undefined;
  return `chart_version asks for ${changes.join(" and ")}: see Milvus's upgrade guide for what its data and values need, and have a backup.`;
}

function describe(what: string, before: string, after: string): string[] {
  const [old, wanted] = [semver.parse(before), semver.parse(after)];
  if (!old || !wanted) return [];
  if (wanted.compare(old) < 0) return [`a downgrade of ${what} from ${before} to ${after}`];
  if (wanted.major > old.major) return [`a new major version of ${what}, ${after} after ${before}`];
  return [];
}
