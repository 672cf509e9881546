import { givenValues } from "../helm/helm-values.ts";
import { parseManifest } from "../helm/manifest.ts";
import { NOT_INSTALLED } from "../helm/release.ts";
import { valueAt } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import { addressWillChange } from "../loadbalancer/address.ts";
import { servicesOf } from "../loadbalancer/references.ts";
import { attuWithoutTls } from "../milvus/attu.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import { networkSettings } from "../milvus/network-settings.ts";
import type { Observed } from "../observe/observed.ts";
import { authorityMoveOf } from "./authority-move.ts";
import { admissionOf } from "./client-policy.ts";
import { type ExposureSettings, exposuresOf } from "./exposure.ts";
import { describeLeaving } from "./leaving-ingress.ts";
import type { Plan } from "./plan.ts";

/** How many paths of values a sentence lists. */
const MOST_PATHS = 20;

/** Returns sentences on what a run's changes mean for Milvus's clients. */
export function consequencesOf(
  settings: Pick<Settings, "keepLayer4" | "host" | "allowHttp" | "staticIpName" | keyof ExposureSettings>,
  observed: Observed,
  plan: Plan,
): string[] {
  const { keepLayer4, host } = settings;
  const { service, release, formerHosts, ingress, ingressAddress, otherIngresses } = observed;
  const { upgrade, switchOver } = plan.release;
  const { finalIngress } = plan.loadBalancer;
  const newAuthority = authorityMoveOf(host, observed);
  const admission = admissionOf(settings, plan.clientPolicy);
  const openDoor = plan.openDoor === undefined ? [] : [plan.openDoor];
  if (release.status === NOT_INSTALLED) return openDoor;
  const before = networkSettings(userYamlIn(release.computedValues));
  const after = upgrade ? networkSettings(userYamlIn(givenValues(upgrade.values))) : before;
  const layer4 = layer4Of(service);
  const losesLayer4 = layer4 !== undefined && (upgrade !== undefined || switchOver !== undefined);
  const sentences: string[] = [];
  const kept = plan.release.keptDefaults;
  if (kept.length > 0) {
    const shown = kept.slice(0, MOST_PATHS).join(", ");
    const more = kept.length > MOST_PATHS ? ` and ${kept.length - MOST_PATHS} more` : "";
    sentences.push(
      `The release has other defaults than its chart ${release.chartVersion}, as after helm upgrade --reuse-values. They become its own values, so that they stay as they are: ${shown}${more}.`,
    );
  }
  const { recordChange, reservedAddress } = observed.google;
  if (recordChange?.action === "change") {
    const target = ingressAddress ?? reservedAddress ?? "the load balancer's address";
    sentences.push(
      `The DNS record of ${host} moves from ${recordChange.before} to ${target} once Milvus answers there.`,
    );
  }
  const oldAddress = layer4?.addresses.join(", ") || "no address yet";
  if (losesLayer4 && switchOver) {
    sentences.push(
      `The layer-4 load balancer at ${oldAddress} is deleted at Google once Milvus answers through the new one and DNS doesn't lead ${host} to the old one: from then on its clients reach nothing there.`,
    );
  } else if (losesLayer4) {
    sentences.push(
      `The layer-4 load balancer at ${oldAddress} is deleted at Google by the Helm upgrade: its clients reach nothing there until they use the new one${keepLayer4 ? "" : " (without keep_layer4: false it stays until Milvus answers there)"}.`,
    );
  }
  if (!before.tls && after.tls) {
    sentences.push(
      `Milvus itself speaks TLS from the Helm upgrade on: clients that reach it directly (inside the cluster${losesLayer4 && switchOver ? ", through the layer-4 load balancer" : ""}) must use TLS from then on.`,
    );
  }
  const attu = attuWithoutTls([...parseManifest(plan.rendered?.manifest ?? "").values()]);
  if (!before.tls && after.tls && attu) {
    sentences.push(
      `Attu of the release (${attu}) can't connect to Milvus any more: it calls it without TLS, and its chart has no value for that. Set attu.enabled: false with the input values, and run an Attu of your own that uses TLS.`,
    );
  }
  if (before.http && before.httpPort === "" && after.http && after.httpPort !== "") {
    sentences.push(
      `Milvus's REST API moves from its gRPC port to port ${after.httpPort} of the pods, because with TLS the two can't share a port.`,
    );
  }
  sentences.push(...keptSentences(observed, plan));
  if (plan.leavingIngress) {
    sentences.push(describeLeaving(settings, plan.leavingIngress, ingressAddress));
  } else if (ingress && ingressAddress && addressWillChange(ingress, settings)) {
    sentences.push(
      `The load balancer at ${ingressAddress} moves to another address: its clients reach nothing there from then on.`,
    );
  }
  for (const former of formerHosts) {
    const when = finalIngress ? `once the certificate for ${host} is served` : "after this run";
    sentences.push(`${former} no longer leads to Milvus ${when}: its clients get HTTP 404 from then on.`);
  }
  // Made by hand, or by this action before ingress_name changed.
  const others = ingress
    ? []
    : otherIngresses.filter((other) => servicesOf(other).includes(service.metadata.name));
  for (const other of others) {
    const { name } = other.metadata;
    sentences.push(
      `Ingress ${name} leads to Milvus too: it stays beside the new one, with its load balancer (ingress_name: ${name} keeps that one instead).`,
    );
  }
  return [
    ...plan.release.notes,
    ...sentences,
    ...[newAuthority, admission].filter((sentence) => sentence !== undefined),
    ...exposuresOf(settings, observed, plan.release),
    ...openDoor,
  ];
}

/** Returns what stays of objects that somebody else made. */
function keptSentences(
  { kept: { ingress, backendConfig, secret } }: Pick<Observed, "kept">,
  { leavingIngress, loadBalancer: { names, manifests } }: Pick<Plan, "leavingIngress" | "loadBalancer">,
): string[] {
  const isWritten = manifests.some(({ kind }) => kind === "Secret");
  const all: [string, string, readonly string[]][] = [
    ["Ingress", names.ingress, leavingIngress ? [] : ingress.names],
    ["BackendConfig", names.backendConfig, backendConfig.names],
    ["Secret", names.tlsSecret ?? "", isWritten ? secret.names : []],
  ];
  return all
    .filter(([, , kept]) => kept.length > 0)
    .map(
      ([kind, name, kept]) =>
        `${kind} ${name} keeps what somebody else has set and no input contradicts: ${kept.join(", ")}.`,
    );
}

function userYamlIn(values: Record<string, unknown>): string | undefined {
  const text = valueAt(values, "extraConfigFiles", "user.yaml");
  return typeof text === "string" ? text : undefined;
}
