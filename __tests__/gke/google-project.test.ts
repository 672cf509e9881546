import { expect, test } from "vitest";
import type { AccessToken } from "../../src/gke/access-token.ts";
import { googleProject } from "../../src/gke/google-project.ts";

const HOUR_MS = 3_600_000;
const JOB = { environment: {}, signal: new AbortController().signal };

/** A project with tokens of this lifetime. The first one is `token-1`. */
function project(lifetime: number, known?: AccessToken, fails: (fetched: number) => boolean = () => false) {
  let fetched = 0;
  const credentials = {
    description: "the credentials",
    projectId: "my-project",
    universe: "googleapis.com",
    quotaProject: undefined,
    accessToken: async () => {
      fetched += 1;
      if (fails(fetched)) throw new Error("sts is down");
      return { value: `token-${fetched}`, expires: Date.now() + lifetime };
    },
  };
  return googleProject(credentials, undefined, JOB, known);
}

const known = (lifetime: number) => ({ value: "known", expires: Date.now() + lifetime });

test("requests share a token", async () => {
  const { accessToken } = project(HOUR_MS);
  expect(await Promise.all([accessToken(), accessToken()])).toEqual(["token-1", "token-1"]);
  expect(await accessToken()).toBe("token-1");
});

test("the token that is known already is used first", async () => {
  expect(await project(HOUR_MS, known(HOUR_MS)).accessToken()).toBe("known");
});

test("a token that lives only seconds longer is not used: a request may take longer", async () => {
  const { accessToken } = project(HOUR_MS, known(59_000));
  expect(await Promise.all([accessToken(), accessToken()])).toEqual(["token-1", "token-1"]);
  const shortLived = project(30_000);
  expect(await shortLived.accessToken()).toBe("token-1");
  expect(await shortLived.accessToken()).toBe("token-2");
});

test("a token that could not be fetched is asked for again", async () => {
  const { accessToken } = project(HOUR_MS, undefined, (fetched) => fetched === 1);
  await expect(accessToken()).rejects.toThrow("sts is down");
  expect(await accessToken()).toBe("token-2");
});
