/** The workflow job that this run is a step of. */
export interface Job {
  /** A folder that only this job's user can read. The post step removes it. */
  directory: string;
  /** The folder that relative paths start from. */
  workspace: string;
  environment: NodeJS.ProcessEnv;
  /** Aborted when the job is cancelled. */
  signal: AbortSignal;
}
