import { messageOf } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import { originOf } from "../base/origin.ts";
import { keepComment } from "../github/comment.ts";
import { pullRequestOf } from "../github/pull-request.ts";
import type { Settings } from "../inputs/settings.ts";
import type { RunReport } from "./run-report.ts";
import { shortenedSummary, wantedSummary } from "./summary.ts";

/**
 * Writes what the run has found into a comment on the job's pull request. Later runs edit that comment. If it
 * can't be written, this only warns: the run itself has done its work.
 */
export async function writeComment(
  report: RunReport,
  settings: Pick<Settings, "cluster" | "mode" | "namespace" | "release" | "githubToken">,
  failure: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  try {
    const pullRequest = await pullRequestOf(environment);
    if (!pullRequest) {
      info("No comment is written: this job doesn't run for a pull request.");
      return;
    }
    const text = commentText(report, settings, failure, originOf(environment));
    const outcome = await keepComment(pullRequest, settings.githubToken, commentMarker(settings), text);
    info(`The comment on pull request ${pullRequest.repository}#${pullRequest.number} is ${outcome}.`);
  } catch (error) {
    warning(messageOf(error));
  }
}

/** Returns the HTML comment that marks a release's comment. A release of another cluster has its own. */
export function commentMarker({
  cluster,
  namespace,
  release,
}: Pick<Settings, "cluster" | "namespace" | "release">): string {
  const where = whereIs(cluster);
  // Two hyphens could end the HTML comment.
  const title = `${where} ${namespace}/${release}`.replace(/-(?=-)/g, "- ").replace(/[<>\r\n]/g, " ");
  return `<!-- milvus-gke-load-balancer: ${title} -->`;
}

function whereIs(cluster: Settings["cluster"]): string {
  if (cluster.kind === "gke") return `${cluster.location}/${cluster.name}`;
  return cluster.kind === "kubeconfig" ? `context ${cluster.context ?? ""}` : cluster.identity.server;
}

/**
 * Returns what the comment of a pull request says: little when nothing changes.
 *
 * @param origin which commit and run it is about
 */
export function commentText(
  report: RunReport,
  settings: Pick<Settings, "mode" | "namespace" | "release">,
  failure: string | undefined,
  origin: string | undefined,
): string {
  const { mode, namespace, release } = settings;
  const summary = shortenedSummary(wantedSummary(report, { mode, summary: "changes" }, failure)).trimEnd();
  const about = [`Milvus release \`${namespace}/${release}\``, ...(origin === undefined ? [] : [origin])];
  return `${summary}\n\n<sub>${about.join(", ")}</sub>\n`;
}
