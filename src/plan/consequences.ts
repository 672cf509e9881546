import { givenValues } from "../helm/helm-values.ts";
import { parseManifest } from "../helm/manifest.ts";
import { NOT_INSTALLED } from "../helm/release.ts";
import type { Settings } from "../inputs/settings.ts";
import { addressWillChange } from "../loadbalancer/address.ts";
import { servicesOf } from "../loadbalancer/references.ts";
import { attuWithoutTls } from "../milvus/attu.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import { networkSettings } from "../milvus/network-settings.ts";
import { userYamlIn } from "../milvus/values.ts";
import type { Observed } from "../observe/observed.ts";
import { authorityMoveOf } from "./authority-move.ts";
import { admissionOf } from "./client-policy.ts";
import { type ExposureSettings, exposuresOf } from "./exposure.ts";
import { describeLeaving } from "./leaving-ingress.ts";
import type { Plan } from "./plan.ts";

/** How many paths of values a sentence lists. */
const MOST_PATHS = 20;

type ConsequenceSettings = Pick<
  Settings,
  "keepLayer4" | "host" | "allowHttp" | "staticIpName" | keyof ExposureSettings
>;

/** Returns sentences on what a run's changes mean for Milvus's clients. */
export function consequencesOf(settings: ConsequenceSettings, observed: Observed, plan: Plan): string[] {
  const openDoor = plan.openDoor === undefined ? [] : [plan.openDoor];
  // A Milvus that is only now installed has no clients yet.
  if (observed.release.status === NOT_INSTALLED) return openDoor;
  const newAuthority = authorityMoveOf(settings.host, observed);
  const admission = admissionOf(settings, plan.clientPolicy);
  return [
    ...plan.release.notes,
    ...keptDefaults(observed, plan),
    ...movedRecord(settings, observed),
    ...lostLayer4(settings, observed, plan),
    ...changedProtocols(observed, plan),
    ...keptSentences(observed, plan),
    ...movedLoadBalancer(settings, observed, plan),
    ...formerHosts(settings, observed, plan),
    ...otherLoadBalancers(observed),
    ...[newAuthority, admission].filter((sentence) => sentence !== undefined),
    ...exposuresOf(settings, observed, plan.release),
    ...openDoor,
  ];
}

function keptDefaults({ release }: Observed, { release: { keptDefaults: kept } }: Plan): string[] {
  if (kept.length === 0) return [];
  const shown = kept.slice(0, MOST_PATHS).join(", ");
  const more = kept.length > MOST_PATHS ? ` and ${kept.length - MOST_PATHS} more` : "";
  return [
    `The release has other defaults than its chart ${release.chartVersion}, as after helm upgrade --reuse-values. They become its own values, so that they stay as they are: ${shown}${more}.`,
  ];
}

function movedRecord({ host }: ConsequenceSettings, { ingressAddress, google }: Observed): string[] {
  const { recordChange, reservedAddress } = google;
  if (recordChange?.action !== "change") return [];
  const target = ingressAddress ?? reservedAddress ?? "the load balancer's address";
  return [
    `The DNS record of ${host} moves from ${recordChange.before} to ${target} once Milvus answers there.`,
  ];
}

function lostLayer4({ keepLayer4, host }: ConsequenceSettings, { service }: Observed, plan: Plan): string[] {
  const { upgrade, switchOver } = plan.release;
  const layer4 = layer4Of(service);
  if (!layer4 || (!upgrade && !switchOver)) return [];
  const address = layer4.addresses.join(", ") || "no address yet";
  if (switchOver) {
    return [
      `The layer-4 load balancer at ${address} is deleted at Google once Milvus answers through the new one and DNS doesn't lead ${host} to the old one: from then on its clients reach nothing there.`,
    ];
  }
  const otherwise = keepLayer4 ? "" : " (without keep_layer4: false it stays until Milvus answers there)";
  return [
    `The layer-4 load balancer at ${address} is deleted at Google by the Helm upgrade: its clients are cut off until they use the new one${otherwise}.`,
  ];
}

/** Returns what clients notice of Milvus's new network settings: TLS, and the port of its REST API. */
function changedProtocols({ service, release }: Observed, plan: Plan): string[] {
  const { upgrade, switchOver } = plan.release;
  if (!upgrade) return [];
  const before = networkSettings(userYamlIn(release.computedValues));
  const after = networkSettings(userYamlIn(givenValues(upgrade.values)));
  const startsTls = !before.tls && after.tls;
  const losesSharedPort = before.http && before.httpPort === "" && after.http && after.httpPort !== "";
  const layer4 = layer4Of(service) && switchOver ? ", through the layer-4 load balancer" : "";
  const attu = attuWithoutTls([...parseManifest(plan.rendered?.manifest ?? "").values()]);
  return [
    ...(startsTls
      ? [
          `Milvus itself speaks TLS from the Helm upgrade on: clients that reach it directly (inside the cluster${layer4}) must use TLS from then on.`,
        ]
      : []),
    ...(startsTls && attu
      ? [
          `Attu of the release (${attu}) can't connect to Milvus any more: it calls it without TLS, and its chart has no value for that. Set attu.enabled: false with the input values, and run an Attu of your own that uses TLS.`,
        ]
      : []),
    ...(losesSharedPort
      ? [
          `Milvus's REST API moves from its gRPC port to port ${after.httpPort} of the pods, because with TLS the two can't share a port.`,
        ]
      : []),
  ];
}

function movedLoadBalancer(
  settings: ConsequenceSettings,
  { ingress, ingressAddress }: Observed,
  { leavingIngress }: Plan,
): string[] {
  if (leavingIngress) return [describeLeaving(settings, leavingIngress, ingressAddress)];
  if (!ingress || !ingressAddress || !addressWillChange(ingress, settings)) return [];
  return [
    `The load balancer at ${ingressAddress} moves to another address: its clients reach nothing there from then on.`,
  ];
}

function formerHosts({ host }: ConsequenceSettings, { formerHosts: former }: Observed, plan: Plan): string[] {
  const when = plan.loadBalancer.finalIngress
    ? `once the certificate for ${host} is served`
    : "after this run";
  return former.map(
    (each) => `${each} no longer leads to Milvus ${when}: its clients get HTTP 404 from then on.`,
  );
}

/** Others may be made by hand, or by this action before ingress_name changed. */
function otherLoadBalancers({ service, ingress, otherIngresses }: Observed): string[] {
  if (ingress) return [];
  return otherIngresses
    .filter((other) => servicesOf(other).includes(service.metadata.name))
    .map(
      ({ metadata: { name } }) =>
        `Ingress ${name} leads to Milvus too: it stays beside the new one, with its load balancer (ingress_name: ${name} keeps that one instead).`,
    );
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
