import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { endpointOf, uriOf } from "../../src/report/endpoint.ts";
import { setOutputs } from "../../src/report/outputs.ts";
import {
  changing,
  changingAtomically,
  type PlanReport,
  type RunReport,
} from "../../src/report/run-report.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "outputs-"));
  await writeFile(join(folder, "output"), "");
  vi.stubEnv("GITHUB_OUTPUT", join(folder, "output"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** Returns the outputs as a runner reads them from its file. */
async function outputs(known: RunReport): Promise<Record<string, string>> {
  setOutputs(known, "");
  const lines = (await readFile(join(folder, "output"), "utf8")).split("\n");
  const found: Record<string, string> = {};
  while (lines.length > 1) {
    const [, name = "", delimiter] = /^(\w+)<<(\S+)$/.exec(lines.shift() ?? "") ?? [];
    const value: string[] = [];
    for (let line = lines.shift(); line !== delimiter; line = lines.shift()) {
      if (line === undefined) throw new Error(`output ${name} has no end`);
      value.push(line);
    }
    found[name] = value.join("\n");
  }
  return found;
}

test("a run that failed early sets only the outputs that it knows", async () => {
  expect(await outputs({ host: "a.b", changes: 0, steps: [] })).toEqual({
    host: "a.b",
    changed: "false",
  });
});

test("a successful run sets all outputs", async () => {
  const plan: PlanReport = {
    upgrade: ["x"],
    later: ["y"],
    values: [{ path: "a" }],
    objects: [],
    fields: [],
    edits: [],
    restarts: ["Deployment my-release-milvus-standalone"],
    consequences: ["z"],
    lost: [{ path: "b", revision: 2 }],
  };
  const pem = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
  const known: RunReport = {
    host: "my-release.milvus.io",
    ingress: "default/my-release-milvus",
    address: "203.0.113.1",
    certificateStatus: "Active",
    certificateExpires: "2027-02-16T11:00:00Z",
    caCertificate: pem,
    caCertificateFile: "/tmp/x y/ca.pem",
    releaseRevision: 4,
    chartVersion: "5.0.19",
    milvusVersion: "",
    backends: { "k8s1-neg": "HEALTHY" },
    changes: 1,
    plan,
    steps: [],
  };
  expect(await outputs(known)).toEqual({
    address: "203.0.113.1",
    endpoint: "https://203.0.113.1:443",
    dns_record: "my-release.milvus.io. 300 IN A 203.0.113.1",
    would_change: "true",
    to_create: "0",
    to_change: "0",
    to_delete: "0",
    host: "my-release.milvus.io",
    port: "443",
    uri: "https://203.0.113.1:443",
    ingress: "default/my-release-milvus",
    certificate_status: "Active",
    certificate_expires: "2027-02-16T11:00:00Z",
    ca_certificate: pem,
    ca_certificate_file: "/tmp/x y/ca.pem",
    release_revision: "4",
    chart_version: "5.0.19",
    milvus_version: "",
    backends: '{"k8s1-neg":"HEALTHY"}',
    changed: "true",
    plan: JSON.stringify(plan),
  });
});

test("a value can't set another output", async () => {
  const hostile = "x\nchanged=true\nEOF\nuri<<EOF\nhttps://evil\nEOF";
  const found = await outputs({ milvusVersion: hostile, changes: 0, steps: [] });
  expect(found).toEqual({ milvus_version: hostile, changed: "false" });
});

test.each([
  ["203.0.113.1", "https://203.0.113.1:443"],
  ["2001:db8::1", "https://[2001:db8::1]:443"],
])("uriOf(%s)", (address, uri) => {
  expect(uriOf(address)).toBe(uri);
});

test("a change counts while it is under way, so that a cancelled run reports it", async () => {
  const report: RunReport = { changes: 0, steps: [] };
  const seen = await changing(report, async () => report.changes);
  expect([seen, report.changes]).toEqual([1, 1]);
});

test("a change that fails counts, unless it changes everything or nothing", async () => {
  const report: RunReport = { changes: 0, steps: [] };
  const fail = () => Promise.reject(new Error("refused"));
  await expect(changingAtomically(report, fail, () => true)).rejects.toThrow("refused");
  expect(report.changes).toBe(0);
  await expect(changing(report, fail)).rejects.toThrow("refused");
  expect(report.changes).toBe(1);
});

test("work that changed nothing leaves what other work has changed meanwhile", async () => {
  const report: RunReport = { changes: 0, steps: [] };
  let end: (wasThere: boolean) => void = () => {};
  const waiting = new Promise<boolean>((resolve) => {
    end = resolve;
  });
  const first = changingAtomically(
    report,
    () => waiting,
    (wasThere) => wasThere,
  );
  await changing(report, async () => {});
  end(false);
  await first;
  expect(report.changes).toBe(1);
});

test.each([
  ["by name once DNS and the certificate allow it", { isInDns: true }, "https://a.example:443"],
  ["by address while DNS leads elsewhere", { isInDns: false }, "https://203.0.113.1:443"],
  [
    "by address while the certificate is to come",
    { isInDns: true, certificateStatus: "Provisioning" as const },
    "https://203.0.113.1:443",
  ],
])("the endpoint is %s", (_, more, endpoint) => {
  const report: RunReport = {
    host: "a.example",
    address: "203.0.113.1",
    certificateStatus: "Active",
    changes: 0,
    steps: [],
    ...more,
  };
  expect(endpointOf(report)).toBe(endpoint);
});
