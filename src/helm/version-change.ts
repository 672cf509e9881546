import semver from "semver";

/** The versions of a chart and of the Milvus in it. */
export interface ChartVersions {
  chart: string;
  app: string;
}

/**
 * Returns a sentence when another chart is a downgrade or another major version, of the chart itself or of
 * Milvus; undefined when there is nothing to announce. A version that isn't semantic isn't compared.
 */
export function describeVersionChange(before: ChartVersions, after: ChartVersions): string | undefined {
  const changes = [
    ...describe("the chart", before.chart, after.chart),
    ...describe("Milvus", before.app, after.app),
  ];
  if (changes.length === 0) return undefined;
  return `The upgrade is ${changes.join(" and ")}: see Milvus's upgrade guide for what its data and values need, and have a backup.`;
}

/**
 * Steps of Milvus's chart that need more than an upgrade (zilliztech/milvus-helm, charts/milvus/README.md).
 */
const TRAPS = [
  {
    version: "4.0.0",
    warning:
      "From chart 4.0.0 on Milvus's settings come from extraConfigFiles only: former values such as dataCoordinator.segment.maxSize have no effect.",
  },
  {
    version: "4.2.21",
    warning:
      "Chart 4.2.21 brought Pulsar v3 beside v2. A release on Pulsar v2 must set pulsar.enabled: true and pulsarv3.enabled: false, else its messages are left behind; versions 4.2.21 to 4.2.29 have known problems with that.",
  },
  {
    version: "5.0.0",
    warning:
      "Chart 5 brings Milvus 2.6, which has no separate coordinators: upgrade to Milvus 2.5.16 with mixCoordinator enabled first.",
  },
];

/** Returns what is known to go wrong between two versions of Milvus's chart. */
export function trapsBetween(before: string, after: string): string[] {
  const [old, wanted] = [semver.parse(before), semver.parse(after)];
  if (!old || !wanted) return [];
  return TRAPS.flatMap(({ version, warning }) =>
    old.compare(version) < 0 && wanted.compare(version) >= 0 ? [warning] : [],
  );
}

function describe(what: string, before: string, after: string): string[] {
  const [old, wanted] = [semver.parse(before), semver.parse(after)];
  if (!old || !wanted) return [];
  if (wanted.compare(old) < 0) return [`a downgrade of ${what} from ${before} to ${after}`];
  if (wanted.major > old.major) return [`a new major version of ${what}, ${after} after ${before}`];
  return [];
}
