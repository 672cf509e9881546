import { HttpClient, type HttpClientResponse } from "@actions/http-client";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { PullRequest } from "./pull-request.ts";

/** How long a connection to GitHub may stay silent, in milliseconds. */
const STALL_MS = 10_000;
/** GitHub's most comments a page. */
const PAGE = 100;
/** In a pull request with more comments, this action writes a new one instead of looking on. */
const MOST_PAGES = 30;

const Comments = v.array(v.looseObject({ id: v.number(), body: v.nullish(v.string(), "") }));

/**
 * Writes a comment on a pull request, or changes the comment that begins with this marker. Returns what
 * became of it: a comment that already has this text is kept.
 *
 * @param token for GitHub; it needs the permission `pull-requests: write`
 * @param marker an HTML comment, which readers don't see
 * @throws ActionError when GitHub can't be reached or refuses
 */
export async function keepComment(
  { api, repository, number }: PullRequest,
  token: string,
  marker: string,
  text: string,
): Promise<"created" | "changed" | "kept"> {
  const client = new HttpClient("milvus-gke-load-balancer", undefined, {
    socketTimeout: STALL_MS,
    allowRetries: true,
    maxRetries: 2,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-github-api-version": "2022-11-28",
    },
  });
  const what = `The comment on pull request ${repository}#${number} can't be written.`;
  const send = async (method: string, path: string, body?: object): Promise<string> => {
    const url = `${api}/repos/${repository}/issues${path}`;
    const answer = await client
      .request(method, url, body ? JSON.stringify(body) : null)
      .catch((error: unknown) => {
        throw new ActionError(what, { why: `${method} ${url}: ${messageOf(error)}`, cause: error });
      });
    const content = await answer.readBody();
    if (!isSuccess(answer)) throw refused(what, `${method} ${url}`, answer, content);
    return content;
  };

  const body = `${marker}\n${text}`;
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const listing = await send("GET", `/${number}/comments?per_page=${PAGE}&page=${page}`);
    const comments = parseJson(Comments, listing) ?? [];
    const own = comments.find((comment) => comment.body.startsWith(marker));
    if (own?.body === body) return "kept";
    if (own) {
      await send("PATCH", `/comments/${own.id}`, { body });
      return "changed";
    }
    if (comments.length < PAGE) break;
  }
  await send("POST", `/${number}/comments`, { body });
  return "created";
}

function isSuccess({ message: { statusCode = 0 } }: HttpClientResponse): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function refused(
  what: string,
  request: string,
  { message: { statusCode } }: HttpClientResponse,
  content: string,
): ActionError {
  const answer = parseJson(v.looseObject({ message: v.string() }), content)?.message ?? content.slice(0, 200);
  return new ActionError(what, {
    why: `${request} answered ${statusCode}: ${answer}`,
    fix: "give the job permissions: pull-requests: write; a pull request from a fork never has it.",
  });
}
