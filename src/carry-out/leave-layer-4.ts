import { pause } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { info, warning } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import { BRIEF_LOOK_UP_MS, lookUpHost } from "../loadbalancer/dns.ts";
import type { Layer4 } from "../milvus/layer-4.ts";
import { type Session, step } from "../report/session.ts";
import type { MovedRecord } from "./dns-record.ts";

/** Longest wait for resolvers to forget the old address, in seconds: twice Cloud DNS's default TTL. */
const LONGEST_WAIT = 600;

/**
 * Waits until clients by name no longer come to the layer-4 load balancer: resolvers may give the old
 * address for the record's TTL.
 *
 * @param moved the move of the host's record in this run, if there was one
 * @returns false if DNS leads them there for longer, or somebody else has to change the record first
 */
export async function leaveLayer4(
  { host }: Pick<Settings, "host">,
  session: Session,
  { addresses }: Layer4,
  moved: MovedRecord | undefined,
): Promise<boolean> {
  if (moved) {
    if (!addresses.includes(moved.before)) return true;
    const ttl = 1000 * moved.staleSeconds;
    if (moved.staleSeconds > LONGEST_WAIT) {
      info(
        `The layer-4 load balancer stays: resolvers may still give its address for the record's TTL, ${formatDuration(ttl)}. A run after that removes it.`,
      );
      return false;
    }
    await step(session, "Wait until resolvers know the new address", async () => {
      info(`The layer-4 load balancer stays for the record's TTL, ${formatDuration(ttl)}.`);
      await pause(ttl, session.signal);
    });
    return true;
  }
  const found = await lookUpHost(host, session.environment, session.signal, BRIEF_LOOK_UP_MS);
  const old = found.state === "resolved" && found.addresses.find((address) => addresses.includes(address));
  if (!old) return true;
  warning(
    `The layer-4 load balancer stays: DNS leads ${host} to its address ${old}. Change the record, wait for its TTL, and run the job again, which then removes it.`,
  );
  return false;
}
