import { gunzipSync } from "node:zlib";
import * as v from "valibot";
import { ActionError, messageOf, OvertakenError } from "../base/errors.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import type { ApiServer, Selector } from "../kubernetes/api.ts";
import { lastDeployed, type Revision } from "./history.ts";

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
    appVersion: v.optional(v.string()),
    /** The enabled ones: Helm drops all others before it stores a chart. */
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
  /** All files except the templates and the parsed ones. */
  files: list(ChartFile),
  values: Values,
  schema: v.nullish(Base64),
});
export type StoredChart = v.InferOutput<typeof StoredChart>;

const StoredReleaseJson = v.looseObject({
  version: v.number(),
  info: v.looseObject({
    status: v.string(),
    description: v.optional(v.string(), ""),
    last_deployed: v.optional(v.string(), ""),
  }),
  chart: StoredChart,
  config: Values,
  manifest: v.optional(v.string(), ""),
  apply_method: v.optional(v.string()),
});

const ReleaseSecret = v.looseObject({
  metadata: v.looseObject({ name: v.string() }),
  data: v.looseObject({ release: v.string() }),
});

/** How large a release may be when unpacked. A Secret holds a mebibyte, which could stand for a gigabyte. */
const MAX_UNPACKED = 256 * 1024 * 1024;

/** A revision of a release as Helm keeps it in a Secret. */
export interface StoredRelease extends Revision {
  /** Whether Helm 4 applied it server-side. Helm 4 does so for releases that it installed. */
  serverSide: boolean;
  /** The chart without its subcharts, which Helm doesn't keep. */
  chart: StoredChart;
  /** What users have set over the chart's defaults. */
  values: YamlMap;
  /** The rendered objects, several YAML documents. */
  manifest: string;
}

/** Which release. */
export interface ReleaseName {
  name: string;
  namespace: string;
}

/** Returns the Secrets in which Helm keeps a release's revisions. */
export function revisionsOf({ name }: Pick<ReleaseName, "name">): Selector {
  return `labelSelector=owner=helm,name=${name}`;
}

/** What Helm writes on such a Secret (helm pkg/storage/driver/secrets.go, newSecretsObject). */
export const RevisionLabels = v.looseObject({
  version: v.pipe(v.string(), v.transform(Number)),
  status: v.string(),
});

/**
 * Returns the numbers and statuses of a release's revisions, the oldest first; none when there is no such
 * release. Does not read the revisions: each may have a megabyte, and Helm keeps ten.
 *
 * @throws ActionError when the Secrets can't be read
 */
export async function listRevisions(
  api: ApiServer,
  release: ReleaseName,
): Promise<Pick<Revision, "revision" | "status">[]> {
  const found = await api.listMetadata("Secret", release.namespace, revisionsOf(release));
  return found
    .map(({ labels }) => v.parse(RevisionLabels, labels))
    .map(({ version, status }) => ({ revision: version, status }))
    .sort((one, other) => one.revision - other.revision);
}

/**
 * Returns one revision.
 *
 * @throws OvertakenError when it is gone: Helm removes the oldest at each upgrade
 */
export async function readRevision(
  api: ApiServer,
  release: ReleaseName,
  revision: number,
): Promise<StoredRelease> {
  const { name, namespace } = release;
  const secret = await api.get("Secret", namespace, secretOf(release, revision));
  if (secret !== undefined) return decodeRelease(secret);
  throw new OvertakenError(
    `Revision ${revision} of release ${name} in namespace ${namespace} is gone since this run has looked.`,
    { why: "another run was at work on the release.", fix: "run again." },
  );
}

/** Returns the name of the Secret that holds a revision. */
export function secretOf({ name }: Pick<ReleaseName, "name">, revision: number): string {
  return `sh.helm.release.v1.${name}.v${revision}`;
}

/**
 * Returns all revisions that Helm keeps of a release, the oldest first.
 *
 * @throws ActionError when the Secrets can't be read
 */
export async function readHistory(api: ApiServer, release: ReleaseName): Promise<StoredRelease[]> {
  const { items } = await api.list("Secret", release.namespace, revisionsOf(release));
  return items.map(decodeRelease).sort((one, other) => one.revision - other.revision);
}

/**
 * Returns the revision to roll back to, as {@link lastDeployed} does. Nearly always the status is enough.
 *
 * @param revisions the release's, the oldest first
 */
export async function findLastDeployed(
  api: ApiServer,
  release: ReleaseName,
  revisions: readonly Pick<Revision, "revision" | "status">[],
): Promise<Pick<Revision, "revision"> | undefined> {
  const deployed = revisions.findLast(({ status }) => status === "deployed");
  return deployed ?? lastDeployed(await readHistory(api, release));
}

/**
 * Reads the Secret of one revision (helm pkg/storage/driver/util.go, decodeRelease).
 *
 * @throws ActionError when Helm couldn't read it either
 */
export function decodeRelease(secret: unknown): StoredRelease {
  const {
    metadata: { name },
    data: { release },
  } = v.parse(ReleaseSecret, secret);
  const { version, info, chart, config, manifest, apply_method } = unpack(release, name);
  const { status, description, last_deployed } = info;
  return {
    revision: version,
    status,
    updated: last_deployed,
    description,
    serverSide: apply_method === "ssa",
    chart,
    values: config,
    manifest,
  };
}

function unpack(release: string, secret: string): v.InferOutput<typeof StoredReleaseJson> {
  const encoded = Buffer.from(Buffer.from(release, "base64").toString("latin1"), "base64");
  try {
    const text = gunzipSync(encoded, { maxOutputLength: MAX_UNPACKED }).toString();
    return v.parse(StoredReleaseJson, JSON.parse(text));
  } catch (error) {
    throw new ActionError(`Secret ${secret} can't be read as a revision of a Helm release.`, {
      why: messageOf(error),
      fix: "somebody has changed that Secret: restore it, or delete it if `helm history` shows other revisions, and run again.",
      cause: error,
    });
  }
}
