import { isDeepStrictEqual } from "node:util";
import type { ObjectVerbs } from "../kubernetes/permissions.ts";
import type { Verb } from "../kubernetes/rights.ts";
import type { Hook } from "./hook.ts";
import { isKept, parseManifest } from "./manifest.ts";

/** An upgrade, or an installation: then nothing was there before. */
export interface AppliedUpgrade {
  namespace: string;
  /** Manifests, several YAML documents each. */
  before: string;
  after: string;
  hooks: readonly Hook[];
  /** Whether Helm applies the release server-side. */
  serverSide: boolean;
  /** Whether a failed upgrade is rolled back. */
  rollsBack: boolean;
}

/**
 * Returns what Helm does with each object of a release in an upgrade, and in the rollback of one that fails
 * (helm pkg/kube/client.go, update). It reads every object. In a release that it applies server-side, it
 * patches every object, changed or not, and creates by a patch too. In other releases it patches only the
 * changed objects. It makes hooks, watches those that run, and deletes them (helm pkg/action/hooks.go).
 */
export function verbsOfUpgrade(upgrade: AppliedUpgrade): ObjectVerbs[] {
  return [...verbsOfObjects(upgrade), ...verbsOfHooks(upgrade)];
}

function verbsOfObjects({ namespace, before, after, serverSide, rollsBack }: AppliedUpgrade): ObjectVerbs[] {
  const [old, wanted] = [parseManifest(before), parseManifest(after)];
  const creating: Verb[] = serverSide ? ["create", "patch"] : ["create"];
  return [...new Set([...old.keys(), ...wanted.keys()])].flatMap((key) => {
    const [former, next] = [old.get(key), wanted.get(key)];
    const object = next ?? former;
    if (!object) return [];
    const verbs = (): Verb[] => {
      if (former && next) return serverSide || !isDeepStrictEqual(former, next) ? ["patch"] : [];
      if (next) return rollsBack ? [...creating, "delete"] : creating;
      if (isKept(object)) return [];
      return rollsBack ? ["delete", ...creating] : ["delete"];
    };
    const { apiVersion, kind, metadata } = object;
    return [{ apiVersion, kind, namespace: metadata.namespace || namespace, verbs: ["get", ...verbs()] }];
  });
}

function verbsOfHooks({ namespace, before, hooks, serverSide, rollsBack }: AppliedUpgrade): ObjectVerbs[] {
  const events = [before === "" ? "install" : "upgrade", ...(rollsBack ? ["rollback"] : [])];
  const awaited = events.flatMap((event) => [`pre-${event}`, `post-${event}`]);
  const made = hooks.filter((hook) => hook.events.some((event) => awaited.includes(event)));
  return made.flatMap(({ manifest }) =>
    [...parseManifest(manifest).values()].map(({ apiVersion, kind, metadata }) => {
      const isRun = kind === "Job" || kind === "Pod";
      const verbs: Verb[] = [
        "get",
        "create",
        "delete",
        ...(serverSide ? (["patch"] as const) : []),
        ...(isRun ? (["list", "watch"] as const) : []),
      ];
      return { apiVersion, kind, namespace: metadata.namespace || namespace, verbs };
    }),
  );
}
