import { ActionError } from "../base/errors.ts";

/** The values of HELM_DRIVER with which Helm uses Secrets (helm pkg/action/action.go, Init). */
const SECRET_DRIVERS = ["", "secret", "secrets"];

/**
 * Refuses a job whose Helm keeps releases elsewhere: this action reads them from Secrets.
 *
 * @throws ActionError naming the variable
 */
export function refuseOtherDriver({ HELM_DRIVER: driver = "" }: NodeJS.ProcessEnv): void {
  if (SECRET_DRIVERS.includes(driver)) return;
  throw new ActionError(`HELM_DRIVER is ${driver}; nothing was changed.`, {
    why: "this action reads a release from the Secrets in which Helm keeps it by default, and HELM_DRIVER has Helm keep it elsewhere.",
    fix: "remove HELM_DRIVER from the step's environment; a release that isn't kept in Secrets must be moved there first.",
  });
}
