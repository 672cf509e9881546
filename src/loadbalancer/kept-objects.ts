import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import type { YamlMap } from "../base/yaml.ts";
import { asMap } from "../base/yaml.ts";
import { type KubernetesObject, Secret } from "../kubernetes/objects.ts";
import { isSignOfOwner } from "../kubernetes/ownership.ts";
import { isIssued } from "./certificate.ts";
import {
  type Extra,
  KEPT,
  type KeptSecret,
  type KeptSpec,
  keptLabels,
  labelExtras,
  NOTHING_KEPT,
  namesOfKept,
  picked,
} from "./kept.ts";
import { hasAuthorityFor } from "./name-constraint.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** The BackendConfig fields that Milvus's page and this action set. */
const BACKEND_CONFIG_FIELDS = ["healthCheck", "timeoutSec", "connectionDraining"];
/** Cloud CDN breaks gRPC: it doesn't stay. */
const UNUSABLE_FIELDS = ["cdn"];
const PAIR = ["tls.crt", "tls.key"];

/**
 * Returns what stays of a BackendConfig that somebody else made: the fields that this
 * action and the inputs don't set.
 */
export function keptBackendConfig(
  object: KubernetesObject | undefined,
  { backendConfig, allowedRanges }: Pick<LoadBalancerSettings, "backendConfig" | "allowedRanges">,
): KeptSpec {
  if (!object) return NOTHING_KEPT.backendConfig;
  // allowed_ranges puts a Cloud Armor policy of its own in the place of another.
  const wanted: YamlMap = { ...backendConfig, ...(allowedRanges.length > 0 && { securityPolicy: {} }) };
  const spec = asMap(object.spec);
  const { annotations } = object.metadata;
  const fields = Object.keys(spec).filter((field) => !BACKEND_CONFIG_FIELDS.includes(field));
  const { names, beyond } = namesOfKept(object, [
    ...(object.spec === undefined ? [{ name: "a spec that isn't there", isReplaced: true }] : []),
    ...fields.map(
      (field): Extra => ({
        name: specName(field),
        isHarmless: isDeepStrictEqual(spec[field], wanted[field]),
        isReplaced: Object.hasOwn(wanted, field) || UNUSABLE_FIELDS.includes(field),
      }),
    ),
    ...Object.keys(annotations)
      .filter((name) => name !== KEPT && !isSignOfOwner(name))
      .map((name) => ({ name, isHarmless: true })),
    ...labelExtras(object),
  ]);
  return {
    names,
    beyond,
    annotations: picked(annotations, (name) => names.includes(name)),
    labels: keptLabels(object, names),
    spec: picked(spec, (field) => names.includes(specName(field))),
  };
}

/**
 * Returns what stays of a Secret that somebody else made when this action puts its own certificate there. It
 * may also be this action's own that somebody has restored from a backup.
 */
export function keptSecret(object: KubernetesObject | undefined, host: string): KeptSecret {
  if (!object) return NOTHING_KEPT.secret;
  const { data, type } = v.parse(Secret, object);
  const others = Object.keys(data).filter((key) => !PAIR.includes(key));
  const certificate = Buffer.from(data["tls.crt"] ?? "", "base64").toString();
  // This action can't renew a certificate that somebody else's authority signed.
  const issued = isIssued(certificate) && !hasAuthorityFor(host, certificate);
  const { names, beyond } = namesOfKept(object, [
    ...(issued ? [{ name: "the certificate of an authority", isReplaced: true }] : []),
    ...others.map((key) => ({ name: dataName(key) })),
  ]);
  return { names, beyond, data: picked(data, (key) => names.includes(dataName(key))), type };
}

function specName(field: string): string {
  return `spec.${field}`;
}

function dataName(key: string): string {
  return `data[${key}]`;
}
