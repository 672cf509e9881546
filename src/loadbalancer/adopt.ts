import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import type { Manifest } from "../kubernetes/api.ts";
import { isOf, type KubernetesObject, ManagedCertificate, Secret } from "../kubernetes/objects.ts";
import { type Owner, ownerOf } from "../kubernetes/ownership.ts";
import type { Kept } from "./kept.ts";
import type { LoadBalancerNames } from "./manifests.ts";
import { isOwnAuthority } from "./name-constraint.ts";
import { pairIn } from "./secret-pair.ts";

type PageNames = Pick<LoadBalancerNames, "host" | "authoritySecret">;

/** An object that is somebody else's. */
interface Foreign {
  object: KubernetesObject;
  owner: Exclude<Owner, { kind: "ours" }>;
  beyond: string[] | undefined;
}

/**
 * Returns the live objects that applying the manifests takes over. Objects made by hand as Milvus's page says
 * are taken over without asking: nothing is lost. Others are taken over only with `adopt`.
 *
 * @param live objects in the cluster
 * @param kept what they have beyond the page
 * @throws ActionError naming all objects that belong to somebody else, and their owners
 */
export function adoptOrRefuse(
  live: readonly KubernetesObject[],
  manifests: readonly Manifest[],
  names: PageNames,
  kept: Kept,
  adopt: boolean,
): KubernetesObject[] {
  const taken: KubernetesObject[] = [];
  const refused: Foreign[] = [];
  for (const manifest of manifests) {
    const object = live.find(isOf(manifest));
    if (!object) continue;
    const owner = ownerOf(object);
    if (owner.kind === "ours") continue;
    const beyond = beyondPage(object, names, kept);
    if (adopt || (owner.kind === "kubectl" && beyond?.length === 0)) taken.push(object);
    else refused.push({ object, owner, beyond });
  }
  if (refused.length > 0) throw foreign(refused, names);
  return taken;
}

/**
 * Returns what an object has that readers of Milvus's page don't make for this host; undefined for a kind
 * that the page doesn't have.
 */
function beyondPage(
  object: KubernetesObject,
  { host, authoritySecret }: PageNames,
  kept: Kept,
): string[] | undefined {
  switch (object.kind) {
    case "Ingress":
      return kept.ingress.beyond;
    case "BackendConfig":
      return kept.backendConfig.beyond;
    case "Secret":
      return object.metadata.name === authoritySecret ? beyondAuthority(object) : kept.secret.beyond;
    case "ManagedCertificate":
      return v
        .parse(ManagedCertificate, object)
        .spec.domains.filter((domain) => domain !== host)
        .map((domain) => `the domain ${domain}`);
    default:
      return undefined;
  }
}

/**
 * The page makes no authority: one of that name is somebody's own, unless a person restored this action's.
 */
function beyondAuthority(object: KubernetesObject): string[] | undefined {
  const { certificate } = pairIn(v.parse(Secret, object));
  return isOwnAuthority(certificate) ? [] : undefined;
}

function foreign(objects: readonly Foreign[], { authoritySecret }: PageNames): ActionError {
  const names = objects.map(
    ({ object: { kind, metadata } }) => `${kind} ${metadata.namespace}/${metadata.name}`,
  );
  const isOne = objects.length === 1;
  const whys = objects.map((each, index) => `${isOne ? "" : `${names[index]}: `}${whyForeign(each)}`);
  const ways = new Set(objects.flatMap(({ object }) => otherWays(object, authoritySecret)));
  return new ActionError(
    `${names.join(" and ")} ${isOne ? "belongs" : "belong"} to somebody else; nothing was changed.`,
    {
      why: `${whys.join("\n")}.`,
      fix: `set adopt: true to have this action take ${isOne ? "it" : "them"} over (what it doesn't set itself stays, unless an input says otherwise; mode: plan shows every change)${[...ways].map((way) => `, or ${way}`).join("")}.`,
    },
  );
}

function whyForeign({ owner, beyond = [] }: Foreign): string {
  const managers = owner.managers.length > 0 ? `its fields are managed by ${owner.managers.join(", ")}` : "";
  const more = beyond.length > 0 ? `: it also has ${beyond.join(", ")}` : "";
  const signs = owner.kind === "other" ? owner.signs : [`it is not as Milvus's page describes it${more}`];
  return [managers, ...signs].filter(Boolean).join("; ") || "nothing in it tells who made it";
}

function otherWays({ kind, metadata }: KubernetesObject, authoritySecret: string | undefined): string[] {
  const input = {
    Ingress: "ingress_name",
    BackendConfig: "backend_config_name",
    Secret: "tls_secret",
    ManagedCertificate: "tls_secret",
  }[kind];
  return [
    ...(input ? [`choose another name with ${input}`] : []),
    ...(kind === "Secret" && metadata.name !== authoritySecret
      ? ["set certificate: secret to use it as it is"]
      : []),
  ];
}
