import { expect, test } from "vitest";
import { githubEnvLines } from "../../local-gke/control-plane/lines.ts";

test("an environment for $GITHUB_ENV is one unquoted NAME=value a line", () => {
  expect(githubEnvLines({ A: "plain", B: "it's a=b" })).toBe("A=plain\nB=it's a=b\n");
});
