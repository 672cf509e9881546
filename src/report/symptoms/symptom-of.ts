import { ActionError } from "../../base/errors.ts";
import { CLUSTER_ERRORS } from "./cluster-errors.ts";
import { IDENTITY_ERRORS } from "./identity-errors.ts";
import { LOAD_BALANCER_ERRORS } from "./load-balancer-errors.ts";
import type { OwnError } from "./own-error.ts";
import { RELEASE_ERRORS } from "./release-errors.ts";
import { MISTAKES, RUNNER_ERRORS } from "./runner-errors.ts";

/**
 * The first that shows counts: the particular ones come before those that speak
 * of the API server or of files.
 */
export const OWN_ERRORS: readonly OwnError[] = [
  ...IDENTITY_ERRORS,
  ...LOAD_BALANCER_ERRORS,
  ...RELEASE_ERRORS,
  ...RUNNER_ERRORS,
  ...CLUSTER_ERRORS,
];

/** What a mistake in a list can be: a mistake in YAML also is an error of its own. */
const LISTED: readonly OwnError[] = [...MISTAKES, ...RUNNER_ERRORS];

/** Returns this action's own error with such a first line. */
export function ownErrorIn(line: string): OwnError | undefined {
  return OWN_ERRORS.find(({ pattern }) => pattern.test(line));
}

/**
 * Returns the id of an error's row in docs/troubleshooting.md: what its evidence shows, or that of the error
 * behind it, else one of the mistakes that it lists, else what its first line says.
 */
export function symptomOf(error: ActionError): string | undefined {
  for (let each: unknown = error; each instanceof ActionError; each = each.cause) {
    if (each.symptom) return each.symptom;
  }
  const [first = "", ...others] = error.message.split("\n");
  const mistakes = others.filter((line) => line.startsWith("- "));
  const listed = LISTED.find(({ pattern }) => mistakes.some((mistake) => pattern.test(mistake)));
  return (listed ?? ownErrorIn(first))?.id;
}

/**
 * Returns where a symptom is explained: in the repository and version that the workflow's `uses` names,
 * else in the action's own folder.
 */
export function symptomAddress(symptom: string, environment: NodeJS.ProcessEnv): string {
  const page = `docs/troubleshooting.md#${symptom}`;
  const { GITHUB_ACTION_REPOSITORY: repository, GITHUB_ACTION_REF: ref } = environment;
  const server = environment.GITHUB_SERVER_URL ?? "https://github.com";
  return repository && ref ? `${server}/${repository}/blob/${encodeURI(ref)}/${page}` : page;
}
