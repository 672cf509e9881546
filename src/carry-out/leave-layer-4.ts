import { formatDuration } from "../base/duration.ts";
import { info, warning } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Layer4 } from "../milvus/layer-4.ts";
import type { Session } from "../report/session.ts";
import type { MovedRecord } from "./dns-record.ts";
import { untilForgotten } from "./forgotten-address.ts";

/**
 * Waits until clients of the host's name no longer come to the layer-4 load balancer.
 *
 * @param moved the move of the host's record, if resolvers may still give its former address
 * @returns false if they still come: the wait would be too long, or somebody else has to change the record
 */
export async function leaveLayer4(
  { host }: Pick<Settings, "host">,
  session: Session,
  { addresses }: Layer4,
  moved: MovedRecord | undefined,
): Promise<boolean> {
  const stays = "The layer-4 load balancer stays";
  const way = await untilForgotten(host, session, { addresses, stays }, moved);
  if (way?.by === "resolvers") {
    info(
      `${stays}: resolvers may still give its address for ${way.time}, ${formatDuration(way.milliseconds)}. A run after that removes it.`,
    );
  } else if (way?.by === "DNS") {
    warning(
      `${stays}: DNS leads ${host} to its address ${way.address}. Change the record, wait for its TTL, and run the job again, which then removes it.`,
    );
  }
  return way === undefined;
}
