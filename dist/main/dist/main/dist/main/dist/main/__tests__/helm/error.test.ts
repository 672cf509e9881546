import { expect, test } from "vitest";
import { clusterError, LostApiServerError } from "../../src/helm/error.ts";

test.each([
  [
    'Error: UPGRADE FAILED: Get "https://10.0.0.1/version": dial tcp 10.0.0.1:443: connect: connection refused',
    true,
  ],
  ["Error: query: failed to query with labels: Too many requests, please try again later.", true],
  [
    'Error: Kubernetes cluster unreachable: an error on the server ("unknown") has prevented the request',
    true,
  ],
  ["Error: UPGRADE FAILED: etcdserver: leader changed", true],
  ["Error: UPGRADE FAILED: failed calling webhook: connect: connection refused", false],
  ["Error: UPGRADE FAILED: cannot patch Service: is invalid", false],
])("%s: lost the API server: %s", (stderr, isLost) => {
  const error = clusterError("helm upgrade failed.", { exitCode: 1, stdout: "", stderr });
  expect(error instanceof LostApiServerError).toBe(isLost);
  expect(error.message).toContain(`helm upgrade failed.\nWhy: ${stderr}`);
  if (isLost) expect(error.message).toContain("What to do: run again");
});
