import { renameSync, writeFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import type { AccessToken } from "./access-token.ts";

/** Shortest time between attempts, in milliseconds. For tokens of seconds it is a tenth of the lifetime. */
const SHORTEST_DELAY = 30_000;
/** How soon the age of the token is looked at again after the machine was suspended, in milliseconds. */
const LONGEST_DELAY = 15_000;

/** A file in which a valid token is kept. */
export interface TokenFile {
  /** Ends the renewal. Even a renewal in progress no longer writes the file. */
  stop(): void;
}

/**
 * Writes a token to `path` (mode 0600) and keeps a valid one there until stopped or until the process ends.
 *
 * Each token is replaced at half of its lifetime. Clients read the file only once a minute, and helm fails at
 * the first 401, so the new token must be there two minutes early. Even a five-minute token allows that.
 *
 * @param fetchToken gets a new token; if it fails, `warn` gets a message and it is tried again
 */
export function keepTokenFile(
  path: string,
  token: AccessToken,
  fetchToken: () => Promise<AccessToken>,
  warn: (message: string) => void,
): TokenFile {
  let stopped = false;
  let timer: NodeJS.Timeout;

  const schedule = (expires: number, lifetime: number) => {
    const due = Date.now() + Math.max((expires - Date.now()) / 2, Math.min(SHORTEST_DELAY, lifetime / 10));
    const look = () => {
      const left = due - Date.now();
      // A timer stands still while the machine is suspended, and the token ages.
      timer = setTimeout(
        () => (Date.now() < due ? look() : void renew(expires, lifetime)),
        Math.min(left, LONGEST_DELAY),
      );
      // The renewal alone must not keep the process alive.
      timer.unref();
    };
    look();
  };
  const keep = ({ value, expires }: AccessToken) => {
    writeToken(path, value);
    schedule(expires, expires - Date.now());
  };
  const renew = async (expires: number, lifetime: number) => {
    try {
      const renewed = await fetchToken();
      if (!stopped) keep(renewed);
    } catch (error) {
      if (stopped) return;
      warn(`The token for the cluster could not be renewed; trying again. ${messageOf(error)}`);
      schedule(expires, lifetime);
    }
  };

  keep(token);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Replaces the file atomically: a client never reads half a token. */
function writeToken(path: string, value: string): void {
  const next = `${path}.next`;
  writeFileSync(next, value, { mode: 0o600 });
  renameSync(next, path);
}
