import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { ManagedCertificate } from "../../src/kubernetes/objects.ts";
import { isNamedAfter, managedCertificateName } from "../../src/loadbalancer/managed-certificates.ts";

describe("managedCertificateName", () => {
  const certificate = (name: string, ...domains: string[]) =>
    v.parse(ManagedCertificate, { metadata: { name }, spec: { domains } });
  const givenUp = (name: string) => ({
    ...certificate(name, "a.example.com"),
    status: { ...certificate(name).status, certificateStatus: "ProvisioningFailedPermanently" },
  });
  const HASHED = "t-7653e495";

  test.each<[string, ManagedCertificate[], string]>([
    ["none yet", [], "t"],
    ["others' only", [certificate("x", "a.example.com")], "t"],
    ["one for the host", [certificate("t", "a.example.com")], "t"],
    ["one for another host", [certificate("t", "b.example.com")], HASHED],
    ["one for more hosts", [certificate("t", "a.example.com", "b.example.com")], HASHED],
    ["both", [certificate("t", "b.example.com"), certificate(HASHED, "a.example.com")], HASHED],
    ["the other one alone, once the first is gone", [certificate(HASHED, "a.example.com")], HASHED],
    ["one that Google has given up", [givenUp("t")], HASHED],
    ["the other one given up, once the first is gone", [givenUp(HASHED)], "t"],
    [
      "the other one given up, and the first as good as ever",
      [certificate("t", "a.example.com"), givenUp(HASHED)],
      "t",
    ],
    [
      "the way back to the first host, before the first certificate is gone",
      [certificate("t", "a.example.com"), certificate("t-00000000", "b.example.com")],
      "t",
    ],
  ])("%s", (_, existing, name) => {
    expect(managedCertificateName("t", "a.example.com", existing)).toBe(name);
  });

  test("returns the same name for the run after a change of the host", () => {
    const before = [certificate("t", "b.example.com")];
    const during = managedCertificateName("t", "a.example.com", before);
    const beside = [...before, certificate(during, "a.example.com")];
    expect(managedCertificateName("t", "a.example.com", beside)).toBe(during);
    const settled = beside.filter(({ metadata }) => metadata.name === during);
    expect(managedCertificateName("t", "a.example.com", settled)).toBe(during);
  });

  test.each([
    ["t", true],
    [HASHED, true],
    ["t-7653e49", false],
    ["t-7653e49g", false],
    ["t-7653e495-x", false],
    ["tt-7653e495", false],
    ["other", false],
  ])("isNamedAfter(t, %s): %s", (name, expected) => {
    expect(isNamedAfter("t", name)).toBe(expected);
  });

  test("isNamedAfter accepts every name that managedCertificateName returns", () => {
    for (const host of ["b.example.com", "c.example.com", "x"]) {
      const name = managedCertificateName("t", host, [certificate("t", "a.example.com")]);
      expect(name).not.toBe("t");
      expect(isNamedAfter("t", name)).toBe(true);
    }
  });
});
