import * as v from "valibot";
import { allOf, pause } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { ApiServer, Manifest } from "./api.ts";
import { dryRunApply } from "./dry-run.ts";
import type { FileManifest } from "./manifest-documents.ts";
import { KubernetesObject } from "./objects.ts";

/** A user's object before and after the manifest is applied. */
export interface DryRunResult {
  /** Undefined if there is none. */
  before: KubernetesObject | undefined;
  after: KubernetesObject;
  /** Whether `after` is the API server's answer; else it is the manifest as it is written. */
  isChecked: boolean;
}

/** Runs what applies a manifest. */
type Around = (manifest: Manifest, apply: () => Promise<void>) => Promise<void>;

/**
 * How long to wait until a new definition is served. Replicated API servers wait five seconds for each other.
 */
const SERVED_LIMIT_MS = 60_000;
/** Pause between two checks: the API server offers no watch for what it serves. */
const LOOK_MS = 250;

const Definition = v.looseObject({
  kind: v.literal("CustomResourceDefinition"),
  spec: v.looseObject({
    group: v.string(),
    names: v.looseObject({ kind: v.string() }),
    versions: v.array(v.looseObject({ name: v.string(), served: v.boolean() })),
  }),
});

const Conditions = v.array(
  v.looseObject({ type: v.string(), status: v.string(), message: v.optional(v.string(), "") }),
);
const DefinitionStatus = v.looseObject({
  // Null for a moment after the definition was created.
  status: v.optional(v.looseObject({ conditions: v.nullish(Conditions, () => []) })),
});

/**
 * Makes a server-side dry run of all manifests. It is impossible for an object whose namespace or definition
 * is among the manifests and doesn't exist yet: such an object is returned as it is written.
 *
 * @param options `force`: take fields from other managers; `asReader`: an object that the account may not
 *   apply is returned as it is written, too
 * @throws ActionError naming the origin of the first manifest that the API server refuses
 */
export async function dryRunManifests(
  api: ApiServer,
  files: readonly FileManifest[],
  { force, asReader = false }: { force: boolean; asReader?: boolean },
): Promise<DryRunResult[]> {
  const live = await allOf(files.map(({ manifest, origin }) => api.find(manifest, origin)));
  const coming = files.filter((_, index) => live[index] === undefined).map(({ manifest }) => manifest);
  return allOf(
    files.map(async ({ manifest, origin }, index) => {
      const before = live[index];
      const isComing = coming.some((other) => isNeededBy(other, manifest));
      if (isComing || (asReader && (await api.resource(manifest)) && !(await api.mayApply(manifest)))) {
        return { before, after: v.parse(KubernetesObject, manifest), isChecked: false };
      }
      return { ...(await dryRunApply(api, manifest, before, { force, origin })), isChecked: true };
    }),
  );
}

/**
 * Applies all manifests in order. Waits until a kind is served if its definition is among them.
 *
 * @param options `force`: take fields from other managers; `around`: called with each
 *   manifest and what applies it
 * @throws ActionError naming the origin of the manifest that the API server refuses
 */
export async function applyManifests(
  api: ApiServer,
  files: readonly FileManifest[],
  options: { force: boolean; signal: AbortSignal; around?: Around },
): Promise<void> {
  const { force, signal, around = (_, apply) => apply() } = options;
  for (const { manifest, origin } of files) {
    await around(manifest, async () => {
      const definition = files.find((other) => defines(other.manifest, manifest));
      if (definition) await untilServed(api, definition.manifest, manifest, signal);
      await api.apply(manifest, { dryRun: false, force, origin });
    });
  }
}

function isNeededBy(other: Manifest, manifest: Manifest): boolean {
  const isNamespace = other.kind === "Namespace" && other.apiVersion === "v1";
  return (isNamespace && other.metadata.name === manifest.metadata.namespace) || defines(other, manifest);
}

function defines(other: Manifest, { apiVersion, kind }: Manifest): boolean {
  const { success, output } = v.safeParse(Definition, other);
  if (!success) return false;
  const { group, names, versions } = output.spec;
  return (
    names.kind === kind && versions.some(({ name, served }) => served && `${group}/${name}` === apiVersion)
  );
}

async function untilServed(
  api: ApiServer,
  definition: Manifest,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const limit = AbortSignal.timeout(SERVED_LIMIT_MS);
  while ((await api.resource(manifest)) === undefined) {
    const { status } = v.parse(DefinitionStatus, (await api.find(definition)) ?? {});
    const unaccepted = status?.conditions.find(
      (condition) => condition.type === "NamesAccepted" && condition.status === "False",
    );
    if (unaccepted || limit.aborted) {
      throw new ActionError(
        `The cluster does not serve CustomResourceDefinition ${definition.metadata.name} of the manifests.`,
        {
          why: unaccepted?.message ?? `it was applied ${SERVED_LIMIT_MS / 1000}s ago.`,
          fix: "correct that definition, or take it out of manifests.",
        },
      );
    }
    await pause(LOOK_MS, signal);
  }
}
