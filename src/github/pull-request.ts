import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";

/** A pull request at GitHub. */
export interface PullRequest {
  /** Base URL of GitHub's REST API. */
  api: string;
  /** `owner/name` */
  repository: string;
  number: number;
}

/**
 * What GitHub says of the event that has started a workflow, as far as it names a pull request
 * (docs.github.com, webhook events `pull_request`, `pull_request_target`,
 * `pull_request_review`, and `issue_comment`).
 */
const Event = v.looseObject({
  pull_request: v.optional(v.looseObject({ number: v.number() })),
  issue: v.optional(v.looseObject({ number: v.number(), pull_request: v.optional(v.looseObject({})) })),
});

/**
 * Returns the pull request for which a job runs; undefined for any other event.
 *
 * @param environment the job's variables, as the runner sets them
 */
export async function pullRequestOf({
  GITHUB_API_URL: api = "https://api.github.com",
  GITHUB_REPOSITORY: repository,
  GITHUB_EVENT_PATH: path,
}: NodeJS.ProcessEnv): Promise<PullRequest | undefined> {
  if (!repository || !path) return undefined;
  const event = parseJson(Event, await readFile(path, "utf8"));
  const number = event?.pull_request?.number ?? (event?.issue?.pull_request && event.issue.number);
  return number === undefined ? undefined : { api, repository, number };
}
