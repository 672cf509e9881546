import type { YamlMap } from "../base/yaml.ts";
import { fieldPath } from "../kubernetes/field-difference.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { isSignOfOwner, ownerOf } from "../kubernetes/ownership.ts";
import type { CertificateReferences } from "./references.ts";

/** The annotation in which this action notes what stays of an object that it took over. */
export const KEPT = "milvus-gke-load-balancer/kept";

/** What stays of an object that somebody else made and this action takes over, or has taken over. */
export interface KeptMetadata {
  /** Everything that stays, as paths of fields and names of annotations. */
  names: string[];
  /** What is taken over only with consent: neither Milvus's page nor the inputs ask for it. */
  beyond: string[];
  annotations: Record<string, string>;
  labels: Record<string, string>;
}

/** What stays of an Ingress. */
export interface KeptIngress extends KeptMetadata {
  /** Entries of `spec.tls`. */
  tls: YamlMap[];
  /** Rules for other hosts. */
  rules: YamlMap[];
  /** Other paths of the host. */
  paths: YamlMap[];
  defaultBackend: YamlMap | undefined;
  /** The certificates that stay. */
  certificates: CertificateReferences;
  /** The one among them that serves the host; undefined when none does. */
  serving: { kind: "secret" | "managed"; name: string } | { kind: "pre-shared"; names: string[] } | undefined;
}

/** What stays of an object with a spec. */
export interface KeptSpec extends KeptMetadata {
  /** Fields of `spec`. */
  spec: YamlMap;
}

/** What stays of a Secret. */
export interface KeptSecret extends Pick<KeptMetadata, "names" | "beyond"> {
  /** Entries of `data` beside the certificate and its key. */
  data: Record<string, string>;
  /** A Secret's type can't be changed. */
  type: string | undefined;
}

/** What stays of the load balancer's objects. */
export interface Kept {
  ingress: KeptIngress;
  backendConfig: KeptSpec;
  secret: KeptSecret;
}

const NO_METADATA: KeptMetadata = { names: [], beyond: [], annotations: {}, labels: {} };

/** What stays where nobody else has made an object. */
export const NOTHING_KEPT: Kept = {
  ingress: {
    ...NO_METADATA,
    tls: [],
    rules: [],
    paths: [],
    defaultBackend: undefined,
    certificates: { secrets: [], preShared: [], managed: [] },
    serving: undefined,
  },
  backendConfig: { ...NO_METADATA, spec: {} },
  secret: { names: [], beyond: [], data: {}, type: undefined },
};

/** Something that an object has and this action wouldn't make. */
export interface Extra {
  name: string;
  /** Whether it may be taken over without consent: the inputs ask for the same, or nothing depends on it. */
  isHarmless?: boolean;
  /** Whether it goes: the inputs ask for something else, or it contradicts what the load balancer needs. */
  isReplaced?: boolean;
}

/**
 * Returns the names of what stays of an object, and of what needs consent. If this action has taken the
 * object over already, only what it noted then stays: all else may be its own, from earlier inputs.
 */
export function namesOfKept(
  object: KubernetesObject,
  extras: readonly Extra[],
): Pick<KeptMetadata, "names" | "beyond"> {
  const isOurs = ownerOf(object).kind === "ours";
  const noted = (object.metadata.annotations[KEPT] ?? "").split(",");
  const staying = extras.filter(({ name, isReplaced }) => !isReplaced && (!isOurs || noted.includes(name)));
  return {
    names: staying.map(({ name }) => name),
    beyond: isOurs ? [] : extras.filter(({ isHarmless }) => !isHarmless).map(({ name }) => name),
  };
}

/** Returns the labels of an object as extras, without those that say whose it is. */
export function labelExtras({ metadata: { labels } }: KubernetesObject): Extra[] {
  return Object.keys(labels)
    .filter((label) => !isSignOfOwner(label))
    .map((label) => ({ name: labelName(label), isHarmless: true }));
}

/** Returns the labels that stay. */
export function keptLabels(
  { metadata: { labels } }: KubernetesObject,
  names: readonly string[],
): Record<string, string> {
  return picked(labels, (label) => names.includes(labelName(label)));
}

/** Returns the entries of a map whose keys are picked. */
export function picked<T>(map: Record<string, T>, isPicked: (key: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => isPicked(key)));
}

function labelName(label: string): string {
  return fieldPath("metadata.labels", label);
}
