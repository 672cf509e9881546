import type { Observed } from "../observe/observed.ts";

/** Returns a sentence on clients that must trust another authority; undefined when they need none. */
export function authorityMoveOf(
  host: string,
  { certificate: { move } }: Pick<Observed, "certificate">,
): string | undefined {
  if (!move) return undefined;
  return move.from === undefined
    ? `From this run on the certificate of ${host} has another authority: clients that trust only the former one can't connect. Give them the output ca_certificate, which holds both.`
    : `From ${move.from} on a run renews the certificate of ${host} under another authority: give clients the output ca_certificate before, which holds both until then.`;
}
