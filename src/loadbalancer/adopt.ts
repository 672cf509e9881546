import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { isMap } from "../base/yaml.ts";
import type { Manifest } from "../kubernetes/api.ts";
import { Ingress, isOf, type KubernetesObject, ManagedCertificate, Secret } from "../kubernetes/objects.ts";
import { type Owner, ownerOf } from "../kubernetes/ownership.ts";
import { isIssued } from "./certificate.ts";
import { INGRESS_CLASS, type LoadBalancerNames } from "./manifests.ts";

/** What a BackendConfig has that Milvus's page, or this action, puts into it. */
const BACKEND_CONFIG_FIELDS = new Set(["healthCheck", "timeoutSec", "connectionDraining"]);

/**
 * Returns those of the objects to apply that someone has made by hand as Milvus's page says: they are taken over
 * without a question, as nothing of anybody's is lost. With `adopt` any other is taken over too.
 *
 * @param live the objects that are there
 * @throws ActionError naming an object that belongs to somebody else, and whom
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
      throw foreign(object, owner);
    }
    return [object];
  });
}

/** Tells an object that Milvus's page has its readers make for this very host from one that serves something else too. */
function matchesMilvusPage(object: KubernetesObject, names: LoadBalancerNames): boolean {
  switch (object.kind) {
    case "Ingress":
      return ingressMatchesMilvusPage(v.parse(Ingress, object), names);
    case "BackendConfig":
      return (
        isMap(object.spec) && Object.keys(object.spec).every((field) => BACKEND_CONFIG_FIELDS.has(field))
      );
    case "Secret":
      return secretMatchesMilvusPage(v.parse(Secret, object));
    case "ManagedCertificate":
      return v.parse(ManagedCertificate, object).spec.domains.every((domain) => domain === names.host);
    default:
      return false;
  }
}

/** Another controller's, or one that leads elsewhere too, serves somebody. */
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

/** A certificate that an authority has signed isn't one that can be made here in its stead. */
function secretMatchesMilvusPage({ data }: Secret): boolean {
  const isWhole = Object.keys(data).every((key) => key === "tls.crt" || key === "tls.key");
  return isWhole && !isIssued(Buffer.from(data["tls.crt"] ?? "", "base64").toString());
}

function foreign({ kind, metadata }: KubernetesObject, owner: Exclude<Owner, { kind: "ours" }>): ActionError {
  const input = {
    Ingress: "ingress_name",
    BackendConfig: "backend_config_name",
    Secret: "tls_secret",
    ManagedCertificate: "tls_secret",
  }[kind];
  const instead = [
    ...(input ? [`give this action's another name (${input})`] : []),
    ...(kind === "Secret" ? ["set certificate: secret to use it as it is"] : []),
  ];
  const managers = owner.managers.length > 0 ? `its fields are managed by ${owner.managers.join(", ")}` : "";
  const signs = owner.kind === "other" ? owner.signs : ["it is not as Milvus's page has it made"];
  return new ActionError(
    `${kind} ${metadata.namespace}/${metadata.name} belongs to somebody else; nothing was changed.`,
    {
      why: `${[managers, ...signs].filter(Boolean).join("; ") || "nothing in it tells who has made it"}.`,
      fix: `set adopt: true to have this action take it over (what it doesn't know in it is removed)${instead.map((way) => `, or ${way}`).join("")}.`,
    },
  );
}
