import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { LocalChart } from "../helm/chart.ts";
import type { Release } from "../helm/release.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { Event, oldestFirst, Service } from "../kubernetes/objects.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import type { Access } from "../observe/access.ts";
import type { Zone } from "../observe/dns-zone.ts";
import type { WayBack } from "../plan/teardown.ts";
import { UPGRADE } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";
import { type MovedRecord, pointHost } from "./dns-record.ts";
import { untilForgotten } from "./forgotten-address.ts";
import { upgradeService } from "./service-upgrade.ts";

/**
 * Gives the release its layer-4 load balancer back while the layer-7 one serves, points the host's name at
 * it, and waits until clients of the name no longer come to the layer-7 one.
 *
 * @returns the release as it is then, and the addresses of the layer-4 load balancer
 * @throws ActionError when there is no layer-4 load balancer, or clients still come to the layer-7 one
 */
export async function bringBackLayer4(
  settings: Settings,
  session: Session,
  access: Access,
  {
    zone,
    release,
    chart,
    way,
  }: { zone: Zone | undefined; release: Release; chart: LocalChart; way: WayBack },
): Promise<{ release: Release; addresses: string[] }> {
  const { service, upgrade } = way;
  const upgraded = upgrade
    ? await upgradeService(settings, session, access, {
        title: "Restore the layer-4 load balancer",
        change: UPGRADE,
        service,
        release,
        chart,
        plan: upgrade,
        requested: {},
      }).catch(async (error: unknown) => {
        throw await stillStanding(error, access.api, release.namespace, way);
      })
    : release.revision;
  session.report.releaseRevision = upgraded;
  const addresses = await addressesOf(access.api, release.namespace, service);
  const [address = ""] = addresses;
  info(`The layer-4 load balancer's address is ${address}.`);
  const moved = way.movesRecord ? await pointHost(settings, session, zone, address) : undefined;
  await leaveLayer7(settings, session, way, address, moved);
  return { release: { ...release, revision: upgraded, status: "deployed" }, addresses };
}

/** Returns the addresses of the Service, which Helm has waited for. */
async function addressesOf(api: ApiServer, namespace: string, name: string): Promise<string[]> {
  const found = await api.get("Service", namespace, name);
  const { addresses } = (found !== undefined && layer4Of(v.parse(Service, found))) || { addresses: [] };
  if (addresses.length > 0) return addresses;
  throw new ActionError(`Service ${namespace}/${name} has no address after the Helm upgrade.`, {
    why: "somebody has changed or deleted it meanwhile.",
    fix: "find out who, and run again.",
  });
}

async function leaveLayer7(
  { host }: Pick<Settings, "host">,
  session: Session,
  { leaving }: WayBack,
  address: string,
  moved: MovedRecord | undefined,
): Promise<void> {
  const stays = `The layer-7 load balancer at ${leaving} stays`;
  const led = await untilForgotten(host, session, { addresses: [leaving], stays }, moved);
  if (!led) return;
  const atOnce = "keep_layer4: false removes it at once, and cuts those clients off.";
  if (led.by === "resolvers") {
    throw new ActionError(
      `The layer-7 load balancer at ${leaving} stays: resolvers may still give its address for ${led.time}, ${formatDuration(led.milliseconds)}.`,
      { fix: `run the teardown again after that: it then goes on. ${atOnce}` },
    );
  }
  throw new ActionError(
    `The layer-7 load balancer at ${leaving} stays: DNS leads clients of ${host} there.`,
    {
      why: `the layer-4 load balancer is back at ${address}, but this run doesn't keep the host's record.`,
      fix: `change the record to ${address}, wait for its TTL, and run the teardown again: it then goes on. ${atOnce}`,
    },
  );
}

/**
 * Returns the error with why Google gives the Service no load balancer, and that clients still have the old
 * one.
 */
async function stillStanding(
  error: unknown,
  api: ApiServer,
  namespace: string,
  { service, leaving }: WayBack,
): Promise<unknown> {
  if (!(error instanceof ActionError)) return error;
  const { items } = await api
    .list("Event", namespace, `fieldSelector=involvedObject.name=${service}`)
    // The events only explain the error.
    .catch(() => ({ items: [] }));
  const warning = oldestFirst(items.map((item) => v.parse(Event, item)))
    .filter(({ type, involvedObject: { kind } }) => type === "Warning" && kind === "Service")
    .at(-1);
  const lines = [
    error.message,
    ...(warning ? [`The last Warning about Service ${service}: ${warning.reason}: ${warning.message}`] : []),
    `The layer-7 load balancer at ${leaving} still stands: it stays until the layer-4 one is back.`,
  ];
  return new ActionError(lines.join("\n"), { cause: error });
}
