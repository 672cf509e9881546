import type { Known } from "./report/known.ts";

/** What one run of the action has at hand. */
export interface Session {
  /** A folder that only this job's user can read and that the post step removes. */
  directory: string;
  environment: NodeJS.ProcessEnv;
  /** Aborted when the job is cancelled. */
  signal: AbortSignal;
  /** Set when credentials came by inputs: the file with them, for gcloud to authenticate with too. */
  credentialsFile?: string | undefined;
  /** Filled in as the run goes on, so that a failed run reports what it knows. */
  known: Known;
}
