import { expect, test, vi } from "vitest";
import { refuseMissingSslPolicy } from "../../src/observe/ssl-policy.ts";

test("Google's controller is left to report a missing SSL policy where Google can't be asked", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const project = () => Promise.reject(new Error("no credentials"));
  await refuseMissingSslPolicy({ frontendConfig: { sslPolicy: "mine" } }, { project });
  const log = written.mock.calls.join("");
  written.mockRestore();
  expect(log).toContain("Can't check whether Google has the SSL policy mine: no credentials");
});

test("Google isn't asked without an SSL policy", async () => {
  const project = vi.fn();
  await refuseMissingSslPolicy({ frontendConfig: { redirectToHttps: { enabled: true } } }, { project });
  expect(project).not.toHaveBeenCalled();
});
