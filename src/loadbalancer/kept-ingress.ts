import * as v from "valibot";
import type { YamlMap } from "../base/yaml.ts";
import { type FieldTree, union } from "../kubernetes/field-tree.ts";
import { managedFields } from "../kubernetes/managed-fields.ts";
import { Ingress, type KubernetesObject, ManagedCertificate, Secret } from "../kubernetes/objects.ts";
import { HELM_RELEASE, isSignOfOwner, ownerOf } from "../kubernetes/ownership.ts";
import { changesScheme } from "./address.ts";
import { problemOf } from "./certificate.ts";
import {
  type Extra,
  type KeptIngress,
  keptLabels,
  labelExtras,
  NOTHING_KEPT,
  namesOfKept,
  picked,
} from "./kept.ts";
import { isManagedName, isNamedAfter } from "./managed-certificates.ts";
import { ALLOW_HTTP, INGRESS_CLASS, STATIC_ADDRESS } from "./manifests.ts";
import {
  FRONTEND_CONFIG,
  MANAGED_CERTIFICATES,
  PRE_SHARED_CERTIFICATES,
  referencesOf,
} from "./references.ts";
import { pairIn } from "./secret-pair.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** What the inputs say of an Ingress. */
export interface IngressSettings
  extends Pick<
    LoadBalancerSettings,
    | "certificate"
    | "isCertificateGiven"
    | "tlsSecret"
    | "loadBalancer"
    | "staticIpName"
    | "frontendConfig"
    | "frontendConfigName"
    | "allowHttp"
    | "isAllowHttpGiven"
  > {
  host: string;
  release: string;
}

const TLS = "spec.tls";
const DEFAULT_BACKEND = "spec.defaultBackend";
/** What Google's ingress controller writes. */
const STATUS_ANNOTATION = /^ingress\.kubernetes\.io\//;
/** What this action writes, whoever wrote it before. */
const OWN_ANNOTATION = /^(milvus-gke-load-balancer\/|kubernetes\.io\/ingress\.(class|allow-http)$)/;
/** Paths that this action's own, `/`, replaces. */
const ROOT_PATHS = ["", "/", "/*"];

/**
 * Returns what stays of an Ingress that somebody else made: everything that this action doesn't set itself
 * and that no input contradicts. Nothing stays of the chart's own Ingress, because the release makes it.
 *
 * @param service the name of Milvus's Service
 * @param objects those that the Ingress may refer to
 * @param now milliseconds since the epoch
 */
export function keptIngress(
  object: KubernetesObject | undefined,
  settings: IngressSettings,
  service: string,
  objects: readonly KubernetesObject[],
  now: number,
): KeptIngress {
  if (!object) return NOTHING_KEPT.ingress;
  const ingress = v.parse(Ingress, object);
  const { names, beyond } = namesOfKept(object, [
    ...annotationExtras(object, ingress, settings, objects),
    ...labelExtras(object),
    ...specExtras(ingress, settings, service),
  ]);
  if (object.metadata.annotations[HELM_RELEASE] === settings.release) {
    return { ...NOTHING_KEPT.ingress, beyond };
  }
  const { metadata, spec } = ingress;
  const isKept = (name: string) => names.includes(name);
  const live = referencesOf(ingress);
  const tls = isKept(TLS) ? otherTls(ingress, settings) : [];
  const certificates = {
    secrets: tls.flatMap(({ secretName }) => (typeof secretName === "string" ? [secretName] : [])),
    preShared: isKept(PRE_SHARED_CERTIFICATES) ? live.preShared : [],
    managed: isKept(MANAGED_CERTIFICATES) ? live.managed : [],
  };
  return {
    names,
    beyond,
    annotations: picked(metadata.annotations, isKept),
    labels: keptLabels(object, names),
    tls,
    rules: spec.rules.filter(({ host }) => host !== settings.host && isKept(ruleName(host))),
    paths: isKept(ruleName(settings.host)) ? otherPaths(ingress, settings.host) : [],
    defaultBackend: isKept(DEFAULT_BACKEND) ? spec.defaultBackend : undefined,
    certificates,
    serving: servingOf(certificates, settings.host, objects, now),
  };
}

/**
 * Returns the certificate that serves the host. For a certificate at Google, the hosts are checked later.
 */
function servingOf(
  { secrets, preShared, managed }: KeptIngress["certificates"],
  host: string,
  objects: readonly KubernetesObject[],
  now: number,
): KeptIngress["serving"] {
  const secret = secrets.find((name) => isUsable(name, host, objects, now));
  if (secret !== undefined) return { kind: "secret", name: secret };
  const names = preShared.filter((name) => !isManagedName(name));
  if (names.length > 0) return { kind: "pre-shared", names };
  const active = managed.find((name) => isActive(name, host, objects));
  return active === undefined ? undefined : { kind: "managed", name: active };
}

function isUsable(name: string, host: string, objects: readonly KubernetesObject[], now: number): boolean {
  const secret = objects.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name);
  if (!secret) return false;
  return problemOf(pairIn(v.parse(Secret, secret)), host, now, { renewBefore: 0 }) === undefined;
}

function isActive(name: string, host: string, objects: readonly KubernetesObject[]): boolean {
  return objects
    .filter(({ kind, metadata }) => kind === "ManagedCertificate" && metadata.name === name)
    .map((object) => v.parse(ManagedCertificate, object))
    .some(({ spec, status }) => spec.domains.includes(host) && status.certificateStatus === "Active");
}

function annotationExtras(
  object: KubernetesObject,
  ingress: Ingress,
  settings: IngressSettings,
  objects: readonly KubernetesObject[],
): Extra[] {
  const owned = ownedAnnotations(object);
  return Object.entries(ingress.metadata.annotations)
    .filter(([name]) => !OWN_ANNOTATION.test(name) && !STATUS_ANNOTATION.test(name))
    .filter(([name]) => !isSignOfOwner(name) && (owned === undefined || owned.has(name)))
    .flatMap(([name, value]) => annotationExtra(name, value, ingress, settings, objects) ?? [])
    .concat(allowHttpExtra(ingress, settings) ?? [], classExtra(ingress, settings) ?? []);
}

/** Returns an annotation as an extra; undefined when this action would set it so itself. */
function annotationExtra(
  name: string,
  value: string,
  ingress: Ingress,
  settings: IngressSettings,
  objects: readonly KubernetesObject[],
): Extra | undefined {
  const { certificate, isCertificateGiven, loadBalancer, staticIpName, tlsSecret, host } = settings;
  const { preShared, managed } = referencesOf(ingress);
  const isMoved = changesScheme(ingress, loadBalancer);
  switch (name) {
    case STATIC_ADDRESS.external:
    case STATIC_ADDRESS.internal: {
      const isOther = name !== STATIC_ADDRESS[loadBalancer];
      return { name, isHarmless: value === staticIpName, isReplaced: isOther || staticIpName !== undefined };
    }
    case FRONTEND_CONFIG: {
      const isReplaced = settings.frontendConfig !== undefined;
      return { name, isHarmless: isReplaced && value === settings.frontendConfigName, isReplaced };
    }
    case PRE_SHARED_CERTIFICATES: {
      const names = preShared.filter((each) => !isManagedName(each));
      if (names.length === 0) return undefined;
      const isHarmless =
        certificate.kind === "pre-shared" && names.every((each) => certificate.names.includes(each));
      return { name, isHarmless, isReplaced: isMoved || isCertificateGiven };
    }
    case MANAGED_CERTIFICATES: {
      const isOfPage = managed.every((each) => isNamedAfter(tlsSecret, each));
      if (isOfPage && !managed.some((each) => isActive(each, host, objects))) return undefined;
      const isHarmless = certificate.kind === "google-managed" && isOfPage;
      return { name, isHarmless, isReplaced: isMoved || isCertificateGiven };
    }
    default:
      return { name };
  }
}

/** It is another controller's Ingress, or an internal one that would become external. */
function classExtra(ingress: Ingress, { loadBalancer }: IngressSettings): Extra | undefined {
  const isOfGke = ["", "gce", "gce-internal"].includes(ingress.metadata.annotations[INGRESS_CLASS] ?? "");
  const isOther = !isOfGke || changesScheme(ingress, loadBalancer);
  return isOther ? { name: INGRESS_CLASS, isReplaced: true } : undefined;
}

/** Port 80 stays open where somebody has opened it on purpose, or a FrontendConfig redirects from it. */
function allowHttpExtra({ metadata }: Ingress, settings: IngressSettings): Extra | undefined {
  const { [ALLOW_HTTP]: value, [FRONTEND_CONFIG]: frontendConfig } = metadata.annotations;
  const keepsFrontendConfig = frontendConfig !== undefined && settings.frontendConfig === undefined;
  if (value !== "true" && !(value === undefined && keepsFrontendConfig)) return undefined;
  const { isAllowHttpGiven, allowHttp } = settings;
  return { name: ALLOW_HTTP, isHarmless: isAllowHttpGiven && allowHttp, isReplaced: isAllowHttpGiven };
}

function specExtras(ingress: Ingress, settings: IngressSettings, service: string): Extra[] {
  const { defaultBackend, rules, ingressClassName = "gce" } = ingress.spec;
  const { host, isCertificateGiven: isReplaced } = settings;
  const isMilvus = (backend: typeof defaultBackend) => backend?.service?.name === service;
  const isRoot = ({ path }: YamlMap) => ROOT_PATHS.includes(typeof path === "string" ? path : "");
  return [
    ...(ingressClassName === "gce" ? [] : [{ name: "spec.ingressClassName", isReplaced: true }]),
    ...(otherTls(ingress, settings).length > 0 ? [{ name: TLS, isReplaced }] : []),
    ...(defaultBackend !== undefined && !isMilvus(defaultBackend) ? [{ name: DEFAULT_BACKEND }] : []),
    ...rules.flatMap((rule): Extra[] => {
      const paths = rule.http?.paths ?? [];
      const name = ruleName(rule.host);
      if (rule.host !== undefined && rule.host !== host) return [{ name }];
      const others = paths.filter((path) => !isRoot(path));
      const isElsewhere = paths.some((path) => isRoot(path) && !isMilvus(path.backend));
      if (others.length > 0) return [{ name }];
      return isElsewhere ? [{ name, isReplaced: rule.host === host }] : [];
    }),
  ];
}

/** Returns the entries of spec.tls with another Secret than this action's own. */
function otherTls({ spec }: Ingress, { tlsSecret }: Pick<IngressSettings, "tlsSecret">): YamlMap[] {
  return spec.tls.filter(({ secretName }) => secretName !== undefined && secretName !== tlsSecret);
}

function otherPaths({ spec }: Ingress, host: string): YamlMap[] {
  return spec.rules
    .filter((rule) => rule.host === host)
    .flatMap((rule) => rule.http?.paths ?? [])
    .filter(({ path }) => !ROOT_PATHS.includes(typeof path === "string" ? path : ""));
}

/** Names the rule of a host; `*` is the rule of all hosts. */
function ruleName(host: string | undefined): string {
  return `spec.rules[${host ?? "*"}]`;
}

/**
 * Returns the annotations that taking an object over would remove: those of its owners. Undefined when the
 * API server hasn't recorded who set what: then all.
 */
function ownedAnnotations(object: KubernetesObject): Set<string> | undefined {
  const owner = ownerOf(object);
  const entries = managedFields(object);
  if (owner.kind === "ours" || entries.length === 0) return undefined;
  const fields = entries
    .filter(({ manager }) => owner.managers.includes(manager))
    .reduce<FieldTree>((all, { fieldsV1 }) => union(all, fieldsV1), {});
  const annotations = fields["f:metadata"]?.["f:annotations"] ?? {};
  return new Set(Object.keys(annotations).map((field) => field.replace(/^f:/, "")));
}
