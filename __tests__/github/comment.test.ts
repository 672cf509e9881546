import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { keepComment } from "../../src/github/comment.ts";

const MARKER = "<!-- milvus-gke-load-balancer: x -->";

interface Comment {
  id: number;
  body: string | null;
}

/**
 * Starts a stand-in for the comments of GitHub's REST API on loopback, and returns
 * its URL and what it was asked.
 */
async function github(comments: Comment[], status = 200) {
  const requests: string[] = [];
  const authorizations = new Set<string | undefined>();
  const server = createServer(async (request, response) => {
    authorizations.add(request.headers.authorization);
    const sent = await text(request);
    requests.push(`${request.method} ${request.url}${sent && ` ${sent}`}`);
    if (status !== 200) {
      response.writeHead(status).end(JSON.stringify({ message: "Resource not accessible by integration" }));
      return;
    }
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    const page = Number(searchParams.get("page") ?? 1);
    const listing = comments.slice((page - 1) * 100, page * 100);
    response.writeHead(request.method === "POST" ? 201 : 200);
    response.end(JSON.stringify(request.method === "GET" ? listing : {}));
  });
  const port = await listenOnFreePort(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const pullRequest = { api: `http://127.0.0.1:${port}`, repository: "acme/search", number: 7 };
  return { pullRequest, requests, authorizations };
}

const others = (count: number): Comment[] =>
  Array.from({ length: count }, (_, index) => ({ id: index, body: index === 0 ? null : `comment ${index}` }));
const list = (page: number) => `GET /repos/acme/search/issues/7/comments?per_page=100&page=${page}`;
const body = JSON.stringify({ body: `${MARKER}\nnew` });

describe("the comment of a pull request", () => {
  test.each([
    [
      "no comment is the release's",
      others(3),
      [list(1), `POST /repos/acme/search/issues/7/comments ${body}`],
    ],
    [
      "there is one that says something else",
      [...others(2), { id: 42, body: `${MARKER}\nold` }],
      [list(1), `PATCH /repos/acme/search/issues/comments/42 ${body}`],
    ],
    ["there is one that says it already", [{ id: 42, body: `${MARKER}\nnew` }], [list(1)]],
    [
      "it is on the second page",
      [...others(100), { id: 42, body: `${MARKER}\nold` }],
      [list(1), list(2), `PATCH /repos/acme/search/issues/comments/42 ${body}`],
    ],
    [
      "somebody quotes it",
      [{ id: 42, body: `> ${MARKER}\n> old` }],
      [list(1), `POST /repos/acme/search/issues/7/comments ${body}`],
    ],
  ])("when %s", async (_, comments, expected) => {
    const { pullRequest, requests, authorizations } = await github(comments);
    await keepComment(pullRequest, "the-token", MARKER, "new");
    expect(requests).toEqual(expected);
    expect([...authorizations]).toEqual(["Bearer the-token"]);
  });

  test("is an error with GitHub's words and the permission when the token may not write it", async () => {
    const { pullRequest } = await github([], 403);
    const error = await keepComment(pullRequest, "the-token", MARKER, "new").catch(String);
    expect(error).toContain("The comment on pull request acme/search#7 can't be written.");
    expect(error).toContain("answered 403: Resource not accessible by integration");
    expect(error).toContain("pull-requests: write");
    expect(error).not.toContain("the-token");
  });
});
