import { pause } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { info } from "../base/log.ts";
import { BRIEF_LOOK_UP_MS, lookUpHost } from "../loadbalancer/dns.ts";
import { type Session, step } from "../report/session.ts";
import type { MovedRecord } from "./dns-record.ts";

/** Longest wait for resolvers to forget an address, in milliseconds: twice Cloud DNS's default TTL. */
const LONGEST_WAIT_MS = 600_000;

/** What still leads clients of the host's name to a load balancer. */
export type WayByName =
  | { by: "DNS"; address: string }
  /** `time` says in words what the milliseconds are, e.g. `the record's TTL`. */
  | { by: "resolvers"; milliseconds: number; time: string };

/**
 * Waits until clients of the host's name no longer come to a load balancer: resolvers may give its address
 * for the TTL of the host's record.
 *
 * @param leaving the load balancer's addresses, and what the log says of it while it stays
 * @param moved the move of the host's record, if resolvers may still give its former address
 * @returns what still leads them there after the longest wait; undefined: nothing
 */
export async function untilForgotten(
  host: string,
  session: Session,
  { addresses, stays }: { addresses: readonly string[]; stays: string },
  moved: MovedRecord | undefined,
): Promise<WayByName | undefined> {
  if (moved) {
    if (!addresses.includes(moved.before)) return undefined;
    const milliseconds = 1000 * moved.staleSeconds;
    const time = moved.by === "this run" ? "the record's TTL" : "the rest of the record's TTL";
    if (milliseconds > LONGEST_WAIT_MS) return { by: "resolvers", milliseconds, time };
    await step(session, "Wait until resolvers know the new address", async () => {
      info(`${stays} for ${time}, ${formatDuration(milliseconds)}.`);
      await pause(milliseconds, session.signal);
    });
    return undefined;
  }
  const found = await lookUpHost(host, session.environment, session.signal, BRIEF_LOOK_UP_MS);
  const address = found.state === "resolved" && found.addresses.find((each) => addresses.includes(each));
  return address ? { by: "DNS", address } : undefined;
}
