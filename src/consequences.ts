import { NOT_INSTALLED } from "./helm/release.ts";
import { valueAt } from "./helm/values.ts";
import type { Settings } from "./inputs.ts";
import { addressOf, willMove } from "./loadbalancer/waits.ts";
import { networkSettings } from "./milvus/user-yaml.ts";
import type { Observed } from "./observe.ts";
import type { Plan } from "./plan.ts";

/** Returns what a run's changes mean for those who use Milvus today, in sentences. */
export function consequencesOf(
  settings: Settings,
  { service, release, formerHosts, ingress }: Observed,
  { release: { upgrade, switchOver }, front: { finalIngress } }: Plan,
): string[] {
  if (release.status === NOT_INSTALLED) return [];
  const { keepLayer4, host } = settings;
  const before = networkSettings(userYamlIn(release.computedValues));
  const after = upgrade ? networkSettings(userYamlIn(upgrade.overlay)) : before;
  const layer4 = service.status.loadBalancer.ingress.map(({ ip, hostname }) => ip ?? hostname).join(", ");
  const losesLayer4 =
    service.spec.type === "LoadBalancer" && (upgrade !== undefined || switchOver !== undefined);
  const sentences: string[] = [];
  if (losesLayer4 && switchOver) {
    sentences.push(
      `The layer-4 load balancer at ${layer4 || "no address yet"} is deleted at Google once Milvus answers through the new one: from then on its clients reach nothing there.`,
    );
  } else if (losesLayer4) {
    sentences.push(
      `The layer-4 load balancer at ${layer4 || "no address yet"} is deleted at Google by the Helm upgrade: its clients reach nothing there until they use the new one${keepLayer4 ? "" : " (keep_layer4: true keeps it until Milvus answers there)"}.`,
    );
  }
  if (!before.tls && after.tls) {
    sentences.push(
      `Milvus itself speaks TLS from the Helm upgrade on: whoever reaches it directly (inside the cluster${losesLayer4 && switchOver ? ", through the layer-4 load balancer" : ""}) must use TLS from then on.`,
    );
  }
  if (before.http && before.httpPort === "" && after.http && after.httpPort !== "") {
    sentences.push(
      `Milvus's REST API moves from its gRPC port to port ${after.httpPort} of the pods, as with TLS the two can't share one.`,
    );
  }
  const address = ingress && addressOf(ingress);
  if (ingress && address && willMove(ingress, settings)) {
    sentences.push(
      `The load balancer at ${address} moves to another address: whoever uses that one reaches nothing there from then on.`,
    );
  }
  for (const former of formerHosts) {
    const when = finalIngress ? `once the certificate for ${host} is served` : "by this run";
    sentences.push(`${former} leads to Milvus no more ${when}: its clients get HTTP 404 from then on.`);
  }
  return sentences;
}

function userYamlIn(values: Record<string, unknown>): string | undefined {
  const text = valueAt(values, "extraConfigFiles", "user.yaml");
  return typeof text === "string" ? text : undefined;
}
