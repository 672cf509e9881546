import { appendFileSync, rmSync } from "node:fs";
import { debug, getInput, getState, saveState, setSecret } from "@actions/core";
import { onCancellation, untilCancelled } from "./base/cancellation.ts";
import { ActionError, CancelledError, messageOf } from "./base/errors.ts";
import { fail, warning } from "./base/log.ts";
import { privateDirectory, removeCredentials } from "./gke/kubeconfig.ts";
import { podIdentity } from "./gke/pod-identity.ts";
import { secretsOf } from "./inputs/secrets.ts";
import { readSettings, type Settings } from "./inputs/settings.ts";
import { annotate } from "./report/annotations.ts";
import { setOutputs } from "./report/outputs.ts";
import type { RunReport } from "./report/run-report.ts";
import type { Session } from "./report/session.ts";
import { shortenedSummary, wantedSummary } from "./report/summary.ts";
import { symptomAddress, symptomOf } from "./report/symptoms/symptom-of.ts";

/** State whose presence marks the post step. */
const STARTED = "started";
/** State with the folder of credentials that the post step removes. */
const DIRECTORY = "directory";

/** How long a failed run's output may take, in milliseconds. */
const LAST_OUTPUT_MS = 1000;

async function main(): Promise<void> {
  const report: RunReport = { changes: 0, steps: [] };
  let settings: Settings | undefined;
  let failure: string | undefined;
  let isReported = false;
  let directory: string | undefined;
  // A runner that is gone, too, starts no post step.
  const giveUp = () => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    process.exit();
  };
  const cancelled = onCancellation();
  // Node.js would print the failed line of the bundle, which is the whole bundle.
  process.on("uncaughtException", (error) => {
    const unexpected = describe(error, report);
    fail(unexpected);
    if (!isReported) writeReport(report, settings, unexpected);
    giveUp();
  });
  try {
    keepState(STARTED, "true");
    const workspace = process.env.GITHUB_WORKSPACE ?? process.cwd();
    settings = readSettings(getInput, workspace, podIdentity(process.env));
    for (const secret of secretsOf(settings)) setSecret(secret);
    directory = await privateDirectory(process.env);
    keepState(DIRECTORY, directory);
    const session = { directory, workspace, environment: process.env, signal: cancelled, report };
    await untilCancelled(work(settings, session), cancelled);
  } catch (error) {
    failure = describe(error, report);
    if (error instanceof ActionError) annotate(error.annotations);
    fail(failure);
  }
  isReported = true;
  writeReport(report, settings, failure);
  if (settings?.comment === "pull_request" && !cancelled.aborted) {
    const { writeComment } = await import("./report/comment.ts");
    await writeComment(report, settings, failure, process.env);
  }
  // A request or a program that is still running must not keep a cancelled job waiting.
  if (cancelled.aborted) giveUp();
  // Nor a failed one: Google's library goes on with a request that nobody waits for any more.
  if (failure !== undefined) setTimeout(() => process.exit(), LAST_OUTPUT_MS).unref();
}

/** Loads the flow only now: the first line of the log doesn't wait for it, nor does the post step. */
async function work(settings: Settings, session: Session): Promise<void> {
  if (settings.mode === "teardown") {
    const { teardown } = await import("./teardown.ts");
    return await teardown(settings, session);
  }
  const { deploy } = await import("./deploy.ts");
  await deploy(settings, session);
}

/**
 * @throws ActionError when the runner's file can't be written: the post step could not remove the credentials
 */
function keepState(name: string, value: string): void {
  try {
    saveState(name, value);
  } catch (error) {
    throw new ActionError("The runner's file for state can't be written; nothing was changed.", {
      why: messageOf(error),
      fix: "free room on the runner's disk, and check that GITHUB_STATE is the runner's own.",
      cause: error,
    });
  }
}

/** Sets the outputs and writes the summary. Only missing outputs fail the run: later steps need them. */
function writeReport(report: RunReport, settings: Settings | undefined, failure: string | undefined): void {
  const summary = wantedSummary(report, settings ?? { mode: "deploy", summary: "changes" }, failure);
  try {
    setOutputs(report, shortenedSummary(summary));
  } catch (error) {
    fail(describe(outputsError(error), report));
  }
  try {
    const file = process.env.GITHUB_STEP_SUMMARY;
    if (file) appendFileSync(file, summary);
  } catch (error) {
    warning(`The job summary can't be written: ${messageOf(error)}`);
  }
}

function outputsError(error: unknown): ActionError {
  return new ActionError("The outputs can't be set, which later steps need.", {
    why: messageOf(error),
    fix: "free room on the runner's disk, check that GITHUB_OUTPUT is the runner's own, and run again: what this run has done stays.",
    cause: error,
  });
}

/**
 * Returns what the log says about the error that ended the run, and notes in the
 * report where it is explained.
 */
function describe(error: unknown, report: RunReport): string {
  if (error instanceof ActionError) {
    const symptom = symptomOf(error);
    if (!symptom) return error.message;
    report.explanation = symptomAddress(symptom, process.env);
    return `${error.message}\nMore: ${report.explanation}`;
  }
  if (error instanceof CancelledError) {
    const { steps, changes } = report;
    const during = steps.at(-1);
    const state = changes > 0 ? "The next run continues from here." : "Nothing was changed.";
    return `${error.message}${during ? ` It was in step: ${during.name}.` : ""} ${state}`;
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    const fix = "free room under RUNNER_TEMP and RUNNER_TOOL_CACHE, and run again: the next run goes on.";
    return describe(new ActionError("The runner's disk is full.", { why: error.message, fix }), report);
  }
  if (error instanceof Error && error.stack) debug(error.stack);
  return `An error that this action does not know: ${messageOf(error)} (run the job again with debug logging for details).`;
}

async function post(): Promise<void> {
  const directory = getState(DIRECTORY);
  if (directory) await removeCredentials(directory);
}

if (Number.parseInt(process.versions.node, 10) < 22) {
  fail(`This action runs on Node.js 24 (using: node24), but was started with ${process.version}.`);
} else if (process.argv.length > 2) {
  // A runner gives no arguments.
  const { runByHand } = await import("./by-hand/main.ts");
  process.exitCode = await runByHand(process.argv.slice(2));
} else if (getState(STARTED)) await post();
else await main();
