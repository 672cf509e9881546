import { renameSync, writeFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import type { AccessToken } from "./access-token.ts";

/** Time between attempts, in milliseconds, at the least; a tenth of the lifetime for tokens of seconds. */
const SHORTEST_DELAY = 30_000;

export interface TokenFile {
  /** Ends the renewal. The file is written no more, not even by a renewal that is under way. */
  stop(): void;
}

/**
 * Writes a token to `path` (mode 0600) and keeps a valid one there until stopped or until the process ends.
 *
 * Each token is replaced at half of its life: clients read the file once a minute only, and helm ends at the
 * first 401, so that the new one has to be there two minutes early, which even a five-minute token allows.
 *
 * @param fetchToken gets a new token; when it fails, `warn` is told and it is tried again
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
    const delay = Math.max((expires - Date.now()) / 2, Math.min(SHORTEST_DELAY, lifetime / 10));
    timer = setTimeout(() => void renew(expires, lifetime), delay);
    // Whoever needs the cluster keeps the process alive; a token alone is no reason to.
    timer.unref();
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

/** Replaces the file in one step: a client never reads half a token. */
function writeToken(path: string, value: string): void {
  const next = `${path}.next`;
  writeFileSync(next, value, { mode: 0o600 });
  renameSync(next, path);
}
