import { describe, expect, test } from "vitest";
import type { SslCertificate } from "../../src/gke/compute-resources.ts";
import { problemOfSubnets, problemsOfPreShared } from "../../src/loadbalancer/preflight.ts";

const HOST = "my-release.milvus.io";
const NOW = Date.UTC(2026, 0, 15, 12);

function certificate(name: string, more: Partial<SslCertificate> = {}) {
  const found = { name, type: "SELF_MANAGED", subjectAlternativeNames: [HOST], ...more };
  return { name, certificate: found };
}

describe("problemsOfPreShared", () => {
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
  ])("%s will do", (_, wanted) => {
    expect(problemsOfPreShared(wanted, USE)).toBeUndefined();
  });

  test("a managed one that isn't issued yet will do where nothing is to be proven", () => {
    expect(problemsOfPreShared([unissued], { ...USE, mustBeIssued: false })).toBeUndefined();
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
      "every one of them is told",
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
    const problem = problemsOfPreShared(wanted, USE);
    expect(problem?.message).toContain("pre_shared_certificates can't be used; nothing was changed.\n");
    expect(problem?.message).toContain(message);
    expect(problem?.message).toContain("What to do: set pre_shared_certificates to names that");
  });

  test("a host of one label has no wildcard", () => {
    const wanted = [certificate("a", { subjectAlternativeNames: ["*.milvus", "*"] })];
    expect(problemsOfPreShared(wanted, { ...USE, host: "milvus" })?.message).toContain(
      "none of them is for milvus",
    );
  });
});

describe("problemOfSubnets", () => {
  const NETWORK = "projects/host-project/global/networks/shared";

  test("a network with a proxy-only subnet will do", () => {
    expect(problemOfSubnets(["proxy-only"], "europe-west1", NETWORK)).toBeUndefined();
  });

  test("one without is told, with the command that makes one", () => {
    expect(problemOfSubnets([], "europe-west1", NETWORK)?.message.split("\n")).toEqual([
      "The network shared has no proxy-only subnet in europe-west1, which an internal load balancer needs; nothing was changed.",
      `Why: no subnet of ${NETWORK} in europe-west1 has the purpose REGIONAL_MANAGED_PROXY and the role ACTIVE.`,
      "What to do: have one made: gcloud compute networks subnets create proxy-only --purpose=REGIONAL_MANAGED_PROXY --role=ACTIVE --region=europe-west1 --network=shared --range=<a free range, /23 is advised>",
    ]);
  });
});
