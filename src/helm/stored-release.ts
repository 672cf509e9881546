import { gunzipSync } from "node:zlib";
import * as v from "valibot";
import { isMap, type YamlMap } from "../base/yaml.ts";
import type { ApiServer } from "../kubernetes/api.ts";

const Values = v.nullish(v.custom<YamlMap>(isMap, "expected a map of values"), () => ({}));

/** Go writes a list without elements as null. */
function list<const T extends v.GenericSchema>(item: T) {
  return v.nullish(v.array(item), () => []);
}

const Base64 = v.pipe(
  v.string(),
  v.transform((text) => Buffer.from(text, "base64")),
);

const ChartFile = v.looseObject({ name: v.string(), data: Base64 });
export type ChartFile = v.InferOutput<typeof ChartFile>;

const Dependency = v.looseObject({ name: v.string(), version: v.optional(v.string(), "") });

/** What a chart's requirements.yaml or lock file lists. */
export const Dependencies = v.looseObject({ dependencies: list(Dependency) });

const StoredChart = v.looseObject({
  metadata: v.looseObject({
    name: v.string(),
    version: v.string(),
    /** Those that were enabled: Helm drops all others before it stores a chart. */
    dependencies: list(
      v.looseObject({
        name: v.string(),
        alias: v.optional(v.string()),
        enabled: v.optional(v.boolean(), false),
      }),
    ),
  }),
  lock: v.nullish(Dependencies),
  templates: list(ChartFile),
  /** All files but the templates and those that are parsed. */
  files: list(ChartFile),
  values: Values,
  schema: v.nullish(Base64),
});
export type StoredChart = v.InferOutput<typeof StoredChart>;

const StoredRelease = v.looseObject({
  version: v.number(),
  info: v.looseObject({ status: v.string(), description: v.optional(v.string(), "") }),
  chart: StoredChart,
  config: Values,
  manifest: v.optional(v.string(), ""),
});

const ReleaseSecret = v.looseObject({ data: v.looseObject({ release: v.string() }) });

/** A revision of a release as Helm keeps it in a Secret. */
export interface StoredRelease {
  revision: number;
  status: string;
  description: string;
  /** The chart without its subcharts, which Helm doesn't keep. */
  chart: StoredChart;
  /** What users have set over the chart's defaults. */
  values: YamlMap;
  /** What it was rendered to, several YAML documents. */
  manifest: string;
}

/**
 * Returns a release's revisions as Helm keeps them, the oldest first; none when Helm keeps them elsewhere (HELM_DRIVER).
 *
 * @throws ActionError when the Secrets can't be read
 */
export async function readStoredReleases(
  api: ApiServer,
  { name, namespace }: { name: string; namespace: string },
): Promise<StoredRelease[]> {
  const { items } = await api.list("Secret", namespace, `labelSelector=owner=helm,name=${name}`);
  return items.map(decodeRelease).sort((one, other) => one.revision - other.revision);
}

/** Reads the Secret of one revision (helm pkg/storage/driver/util.go, decodeRelease). */
export function decodeRelease(secret: unknown): StoredRelease {
  const { release } = v.parse(ReleaseSecret, secret).data;
  const encoded = Buffer.from(Buffer.from(release, "base64").toString("latin1"), "base64");
  const { version, info, chart, config, manifest } = v.parse(
    StoredRelease,
    JSON.parse(gunzipSync(encoded).toString()),
  );
  const { status, description } = info;
  return { revision: version, status, description, chart, values: config, manifest };
}
