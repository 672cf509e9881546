import { describe, expect, test } from "vitest";
import type { SslCertificate } from "../../src/gke/compute-resources.ts";
import { problemOfPreShared } from "../../src/loadbalancer/pre-shared-certificates.ts";

const HOST = "my-release.milvus.io";
const NOW = Date.UTC(2026, 0, 15, 12);

function certificate(name: string, more: Partial<SslCertificate> = {}) {
  const found = { name, type: "SELF_MANAGED", subjectAlternativeNames: [HOST], ...more };
  return { name, certificate: found };
}

describe("problemOfPreShared", () => {
  const USE = { host: HOST, projectId: "p", now: NOW, mustBeIssued: true };
  const managed = (domains: string[], status = "ACTIVE") => ({
    subjectAlternativeNames: [],
    managed: { domains, status, domainStatus: {} },
  });
  const unissued = certificate("new", managed([HOST], "PROVISIONING"));
  const none = { name: "none", certificate: undefined };
  const other = certificate("other", { subjectAlternativeNames: ["other.example.com"] });
  const expired = certificate("old", { expireTime: "2026-01-15T03:59:59.000-08:00" });

  test.each([
    ["one for the host", [certificate("a")]],
    ["one of several", [other, certificate("a")]],
    ["a wildcard", [certificate("a", { subjectAlternativeNames: ["*.milvus.io"] })]],
    ["a name in capitals", [certificate("a", { subjectAlternativeNames: ["My-Release.Milvus.IO"] })]],
    ["one that ends in a second", [certificate("a", { expireTime: "2026-01-15T04:00:01.000-08:00" })]],
    ["a managed one", [certificate("a", managed([HOST]))]],
    ["a managed one that is not renewed", [certificate("a", managed([HOST], "RENEWAL_FAILED"))]],
    ["one beside a managed one that isn't issued yet", [unissued, certificate("a")]],
  ])("accepts %s", (_, wanted) => {
    expect(problemOfPreShared(wanted, USE)).toBeUndefined();
  });

  test("accepts a managed one that isn't issued yet unless mustBeIssued is set", () => {
    expect(problemOfPreShared([unissued], { ...USE, mustBeIssued: false })).toBeUndefined();
  });

  test.each<[string, { name: string; certificate: SslCertificate | undefined }[], string]>([
    [
      "a managed one that isn't issued yet",
      [unissued, other],
      "Why: new is PROVISIONING: Google issues it once",
    ],
    ["none of that name", [none], "there is no SSL certificate none in the project p."],
    [
      "one of two isn't there",
      [certificate("a"), none],
      "Why: there is no SSL certificate none in the project p.",
    ],
    ["an expired one", [expired], "Why: old has expired (2026-01-15T03:59:59.000-08:00)."],
    [
      "every problem is listed",
      [none, expired],
      "there is no SSL certificate none in the project p; old has expired (",
    ],
    ["another host's", [other], `none of them is for ${HOST}: they are for other.example.com.`],
    [
      "a wildcard of another level",
      [certificate("a", { subjectAlternativeNames: ["*.io", "*.my-release.milvus.io"] })],
      `none of them is for ${HOST}: they are for *.io, *.my-release.milvus.io.`,
    ],
    [
      "a managed one for other names",
      [certificate("a", managed(["x.milvus.io"]))],
      `none of them is for ${HOST}: they are for x.milvus.io.`,
    ],
    [
      "no name at all",
      [certificate("a", { subjectAlternativeNames: [] })],
      `none of them is for ${HOST}: they are for no name at all.`,
    ],
  ])("%s", (_, wanted, message) => {
    const problem = problemOfPreShared(wanted, USE);
    expect(problem?.message).toContain("pre_shared_certificates can't be used; nothing was changed.\n");
    expect(problem?.message).toContain(message);
    expect(problem?.message).toContain("What to do: set pre_shared_certificates to names that");
  });

  test("matches no wildcard with a host of one label", () => {
    const wanted = [certificate("a", { subjectAlternativeNames: ["*.milvus", "*"] })];
    expect(problemOfPreShared(wanted, { ...USE, host: "milvus" })?.message).toContain(
      "none of them is for milvus",
    );
  });
});
