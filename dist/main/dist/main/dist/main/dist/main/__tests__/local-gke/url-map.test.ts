import { describe, expect, it } from "vitest";
import type { UrlRule } from "../../local-gke/cloud.ts";
import { backendFor } from "../../local-gke/load-balancer/url-map.ts";

const rule = (host: string | undefined, path: string, pathType: UrlRule["pathType"], backend: string) => ({
  host,
  path,
  pathType,
  backend,
});
const rules: UrlRule[] = [
  rule("a.io", "/", "Prefix", "a"),
  rule("a.io", "/api", "Prefix", "api"),
  rule("a.io", "/api/v1", "Exact", "v1"),
  rule("b.io", "/only/*", "ImplementationSpecific", "only"),
  rule("b.io", "/exact", "ImplementationSpecific", "exact"),
  rule("*.wild.io", "/", "Prefix", "wild"),
];

describe("backendFor", () => {
  it.each([
    ["a.io", "/", "a"],
    ["A.IO:443", "/milvus.proto.milvus.MilvusService/Search", "a"],
    ["a.io", "/api", "api"],
    ["a.io", "/api/", "api"],
    ["a.io", "/apis", "a"],
    ["a.io", "/api/v1?x=/y", "v1"],
    ["a.io", "/api/v1/more", "api"],
    ["b.io", "/only/this", "only"],
    ["b.io", "/exact", "exact"],
    ["b.io", "/exact/not", undefined],
    ["x.wild.io", "/", "wild"],
    ["wild.io", "/", undefined],
    ["other.io", "/", undefined],
    ["", "/", undefined],
  ])("of %s%s is %s", (authority, target, backend) => {
    expect(backendFor(rules, authority, target)).toBe(backend);
  });

  it("uses a rule without a host for hosts without rules", () => {
    const all = [...rules, rule(undefined, "/", "Prefix", "any")];
    expect(backendFor(all, "other.io", "/")).toBe("any");
    expect(backendFor(all, "b.io", "/elsewhere")).toBeUndefined();
  });
});
