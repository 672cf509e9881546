import { describe, expect, test } from "vitest";
import { connectionPrograms } from "../../src/report/programs.ts";
import type { RunReport } from "../../src/report/run-report.ts";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const READY: RunReport = {
  host: "my-release.milvus.io",
  address: "203.0.113.1",
  certificateStatus: "Active",
  changes: 0,
  steps: [],
};
const LANGUAGES = ["python", "javascript", "go", "java"] as const;

/** Returns the program in a language. */
function program(report: RunReport, language: string): string {
  const [, text = ""] =
    new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, "ms").exec(connectionPrograms(report).join("\n")) ?? [];
  return text;
}

describe.each(LANGUAGES)("the program in %s", (language) => {
  test("names the host beside the address while DNS doesn't lead there, and trusts the authority", () => {
    const text = program({ ...READY, caCertificate: CERTIFICATE }, language);
    expect(text).toContain('"https://203.0.113.1:443"');
    expect(text).toContain('"my-release.milvus.io"');
    expect(text).toContain('"milvus-ca.pem"');
    expect(text).not.toMatch(/BEGIN|\0|undefined|false/);
  });

  test("has the host's name alone once DNS leads there", () => {
    const text = program({ ...READY, isInDns: true, caCertificate: CERTIFICATE }, language);
    expect(text).toContain('"https://my-release.milvus.io:443"');
    expect(text).not.toMatch(/203\.0\.113\.1|server_name|channelOptions|WithAuthority/);
    expect(text).toContain('"milvus-ca.pem"');
  });

  test("trusts public authorities where the certificate is of one", () => {
    const text = program({ ...READY, isInDns: true }, language);
    expect(text).toContain('"https://my-release.milvus.io:443"');
    expect(text).not.toMatch(/pem|\0/);
  });
});

test("the certificate stands once above the programs", () => {
  const [text = ""] = connectionPrograms({ ...READY, caCertificate: CERTIFICATE });
  expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  expect(text.indexOf("BEGIN CERTIFICATE")).toBeLessThan(text.indexOf("pymilvus"));
});

test("Java's client can't name the host beside an address with a public certificate, so there is no such program", () => {
  expect(program(READY, "java")).toBe("");
  expect(program(READY, "go")).toContain('grpc.WithAuthority("my-release.milvus.io")');
});

test("an IPv6 address stands in brackets", () => {
  expect(program({ ...READY, address: "2001:db8::1" }, "python")).toContain(
    'uri="https://[2001:db8::1]:443",',
  );
});

test("there are none without an address", () => {
  const { address: _, ...waiting } = READY;
  expect(connectionPrograms(waiting)).toEqual([]);
});
