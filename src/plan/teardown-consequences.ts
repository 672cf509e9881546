import { givenValues } from "../helm/helm-values.ts";
import type { Settings } from "../inputs/settings.ts";
import { networkSettings } from "../milvus/network-settings.ts";
import { userYamlIn } from "../milvus/values.ts";
import type { TeardownPlan } from "./teardown.ts";

/**
 * Returns sentences on what a teardown means for Milvus's clients.
 *
 * @param leaving the address of the layer-7 load balancer, if it has one
 */
export function teardownConsequences(
  { host, keepLayer4 }: Pick<Settings, "host" | "keepLayer4">,
  leaving: string | undefined,
  restore: TeardownPlan["restore"],
): string[] {
  return [
    ...(leaving === undefined ? [] : [wayIn(host, keepLayer4, leaving, restore)]),
    ...(restore && losesTls(restore)
      ? [
          "Milvus itself speaks plaintext again from the last Helm upgrade on, which replaces its pods: clients that reach it directly or through the layer-4 load balancer must use TLS until then, and plaintext from then on.",
        ]
      : []),
  ];
}

function wayIn(host: string, keepLayer4: boolean, leaving: string, restore: TeardownPlan["restore"]): string {
  const { wayBack, upgrade } = restore ?? {};
  if (wayBack) {
    const record = wayBack.movesRecord ? `The DNS record of ${host} moves there. ` : "";
    return `The layer-4 load balancer is back before the layer-7 one at ${leaving} goes. ${record}The layer-7 one stays until DNS no longer leads ${host} to it; from then on its clients reach nothing there.`;
  }
  const type = upgrade?.changes.find(({ path }) => path === "service.type")?.after;
  if (type === "LoadBalancer") {
    const why = keepLayer4 ? "the newest Helm upgrade has failed" : "keep_layer4 is false";
    return `The layer-7 load balancer at ${leaving} goes before the layer-4 one is back: clients reach nothing meanwhile, because ${why}.`;
  }
  return `The layer-7 load balancer at ${leaving} goes: its clients reach nothing there from then on.`;
}

function losesTls({ release, upgrade }: NonNullable<TeardownPlan["restore"]>): boolean {
  const before = networkSettings(userYamlIn(release.values));
  return before.tls && !networkSettings(userYamlIn(givenValues(upgrade.values))).tls;
}
