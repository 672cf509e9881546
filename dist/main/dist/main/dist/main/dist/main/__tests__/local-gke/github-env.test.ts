import { expect, test } from "vitest";
import { githubEnvLines } from "../../local-gke/control-plane/lines.ts";

test("githubEnvLines writes one unquoted NAME=value per line", () => {
  expect(githubEnvLines({ A: "plain", B: "it's a=b" })).toBe("A=plain\nB=it's a=b\n");
});
