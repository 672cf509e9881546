/** Length of a commit's short name. */
const SHORT = 7;

/**
 * Returns the name of this run for records that outlive it: repository, commit and the run's page, e.g.
 * `acme/search@1a2b3c4, https://github.com/acme/search/actions/runs/42`. Undefined outside of a workflow.
 *
 * @param environment the job's variables, as the runner sets them
 */
export function originOf({
  GITHUB_REPOSITORY: repository,
  GITHUB_SHA: commit,
  GITHUB_SERVER_URL: server = "https://github.com",
  GITHUB_RUN_ID: run,
}: NodeJS.ProcessEnv): string | undefined {
  if (!repository) return undefined;
  const what = commit ? `${repository}@${commit.slice(0, SHORT)}` : repository;
  return run ? `${what}, ${server}/${repository}/actions/runs/${run}` : what;
}
