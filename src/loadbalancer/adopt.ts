import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { isMap } from "../base/yaml.ts";
import type { Manifest } from "../kubernetes/api.ts";
import { Ingress, isOf, type KubernetesObject, ManagedCertificate, Secret } from "../kubernetes/objects.ts";
import { type Owner, ownerOf } from "../kubernetes/ownership.ts";
import { isIssued } from "./certificate.ts";
import { INGRESS_CLASS, type LoadBalancerNames } from "./manifests.ts";

/** The BackendConfig fields that Milvus's page and this action set. */
const BACKEND_CONFIG_FIELDS = new Set(["healthCheck", "timeoutSec", "connectionDraining"]);

/**
 * Returns the live objects that applying the manifests takes over. Objects made by hand as Milvus's page says
 * are taken over without asking: nothing is lost. Others are taken over only with `adopt`.
 *
 * @param live objects in the cluster
 * @throws ActionError for an object that belongs to somebody else, naming the object and its owner
 */
export function adoptOrRefuse(
  live: readonly KubernetesObject[],
  manifests: readonly Manifest[],
  names: LoadBalancerNames,
  adopt: boolean,
): KubernetesObject[] {
  return manifests.flatMap((manifest) => {
    const object = live.find(isOf(manifest));
    if (!object) return [];
    const owner = ownerOf(object);
    if (owner.kind === "ours") return [];
    if (!adopt && !(owner.kind === "kubectl" && matchesMilvusPage(object, names))) {
      throw foreign(object, owner, names);
    }
    return [object];
  });
}

/** Tells whether an object is as Milvus's page has its readers make it, and serves this host only. */
function matchesMilvusPage(object: KubernetesObject, names: LoadBalancerNames): boolean {
  switch (object.kind) {
    case "Ingress":
      return ingressMatchesMilvusPage(v.parse(Ingress, object), names);
    case "BackendConfig":
      return (
        isMap(object.spec) && Object.keys(object.spec).every((field) => BACKEND_CONFIG_FIELDS.has(field))
      );
    case "Secret":
      // The page makes no authority: one of that name is somebody's own.
      return (
        object.metadata.name !== names.authoritySecret && secretMatchesMilvusPage(v.parse(Secret, object))
      );
    case "ManagedCertificate":
      return v.parse(ManagedCertificate, object).spec.domains.every((domain) => domain === names.host);
    default:
      return false;
  }
}

/** An Ingress of another controller, or one that also routes elsewhere, is in use by somebody. */
function ingressMatchesMilvusPage(
  { metadata, spec }: Ingress,
  { host, service }: LoadBalancerNames,
): boolean {
  const { ingressClassName = "gce", defaultBackend, rules } = spec;
  const isGkeClass = ["", "gce", "gce-internal"].includes(metadata.annotations[INGRESS_CLASS] ?? "");
  const routesToMilvus = (backend: typeof defaultBackend) => backend?.service?.name === service;
  return (
    isGkeClass &&
    ingressClassName === "gce" &&
    (defaultBackend === undefined || routesToMilvus(defaultBackend)) &&
    rules.every(
      (rule) =>
        (rule.host ?? host) === host &&
        (rule.http?.paths ?? []).every(({ backend }) => routesToMilvus(backend)),
    )
  );
}

/** This action can't replace a certificate that an authority signed. */
function secretMatchesMilvusPage({ data }: Secret): boolean {
  const hasOnlyPair = Object.keys(data).every((key) => key === "tls.crt" || key === "tls.key");
  return hasOnlyPair && !isIssued(Buffer.from(data["tls.crt"] ?? "", "base64").toString());
}

function foreign(
  { kind, metadata }: KubernetesObject,
  owner: Exclude<Owner, { kind: "ours" }>,
  { authoritySecret }: Pick<LoadBalancerNames, "authoritySecret">,
): ActionError {
  const input = {
    Ingress: "ingress_name",
    BackendConfig: "backend_config_name",
    Secret: "tls_secret",
    ManagedCertificate: "tls_secret",
  }[kind];
  const instead = [
    ...(input ? [`choose another name with ${input}`] : []),
    ...(kind === "Secret" && metadata.name !== authoritySecret
      ? ["set certificate: secret to use it as it is"]
      : []),
  ];
  const managers = owner.managers.length > 0 ? `its fields are managed by ${owner.managers.join(", ")}` : "";
  const signs = owner.kind === "other" ? owner.signs : ["it is not as Milvus's page describes it"];
  return new ActionError(
    `${kind} ${metadata.namespace}/${metadata.name} belongs to somebody else; nothing was changed.`,
    {
      why: `${[managers, ...signs].filter(Boolean).join("; ") || "nothing in it tells who made it"}.`,
      fix: `set adopt: true to have this action take it over (fields that it doesn't know are removed)${instead.map((way) => `, or ${way}`).join("")}.`,
    },
  );
}
