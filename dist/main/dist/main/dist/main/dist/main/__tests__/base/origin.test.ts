import { expect, test } from "vitest";
import { originOf } from "../../src/base/origin.ts";

const JOB = {
  GITHUB_REPOSITORY: "acme/search",
  GITHUB_SHA: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
  GITHUB_SERVER_URL: "https://github.example.com",
  GITHUB_RUN_ID: "42",
};

test.each([
  ["a workflow's run", JOB, "acme/search@1a2b3c4, https://github.example.com/acme/search/actions/runs/42"],
  [
    "no server is named",
    { ...JOB, GITHUB_SERVER_URL: undefined },
    "acme/search@1a2b3c4, https://github.com/acme/search/actions/runs/42",
  ],
  ["no run", { ...JOB, GITHUB_RUN_ID: "" }, "acme/search@1a2b3c4"],
  ["no commit", { GITHUB_REPOSITORY: "acme/search" }, "acme/search"],
  ["no workflow", { HOME: "/root" }, undefined],
])("%s", (_, environment, origin) => {
  expect(originOf(environment)).toBe(origin);
});
