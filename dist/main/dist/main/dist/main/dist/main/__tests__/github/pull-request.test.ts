import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pullRequestOf } from "../../src/github/pull-request.ts";

test.each([
  ["a pull request", { number: 7, pull_request: { number: 7 } }, 7],
  ["a comment on a pull request", { issue: { number: 8, pull_request: { url: "x" } } }, 8],
  ["a comment on an issue", { issue: { number: 9 } }, undefined],
  ["a push", { ref: "refs/heads/main" }, undefined],
  ["what is no event", "[", undefined],
])("the event of %s", async (_, event, number) => {
  const folder = await mkdtemp(join(tmpdir(), "event-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "event.json");
  await writeFile(path, typeof event === "string" ? event : JSON.stringify(event));
  const found = await pullRequestOf({ GITHUB_REPOSITORY: "acme/search", GITHUB_EVENT_PATH: path });
  const api = "https://api.github.com";
  expect(found).toEqual(number && { api, repository: "acme/search", number });
});

test("without an event there is none", async () => {
  expect(await pullRequestOf({ GITHUB_REPOSITORY: "acme/search" })).toBeUndefined();
});
