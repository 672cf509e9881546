import type { Settings } from "./settings.ts";

/** Returns how long a run may wait, with all of its limits together, in milliseconds. */
export function longestRun(
  settings: Pick<
    Settings,
    | "mode"
    | "helmTimeout"
    | "rollbackOnFailure"
    | "waitFor"
    | "verify"
    | "certificate"
    | "addressTimeout"
    | "backendsTimeout"
    | "certificateTimeout"
    | "certificatePresentedTimeout"
  >,
): number {
  const { mode, waitFor, verify, certificate, helmTimeout, addressTimeout, backendsTimeout } = settings;
  if (mode === "plan") return 0;
  const waits = [helmTimeout];
  if (settings.rollbackOnFailure) waits.push(helmTimeout);
  if (mode === "deploy" && waitFor !== "none") {
    waits.push(addressTimeout);
    if (waitFor !== "address") {
      waits.push(backendsTimeout);
      if (certificate.kind === "google-managed") waits.push(settings.certificateTimeout);
      if (certificate.kind === "google-managed" && verify) waits.push(settings.certificatePresentedTimeout);
      if (verify) waits.push(backendsTimeout);
    }
  }
  return waits.reduce((sum, wait) => sum + wait, 0);
}
