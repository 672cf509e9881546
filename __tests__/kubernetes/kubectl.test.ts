import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apply, explain, get, getRaw } from "../../src/kubernetes/kubectl.ts";
import type { Program } from "../../src/process.ts";

describe("explain", () => {
  test.each([
    ["error: You must be logged in to the server (Unauthorized)", "the cluster refuses the credentials"],
    [
      'Error from server (Forbidden): secrets is forbidden: User "u" cannot list resource "secrets"',
      "roles/container.developer",
    ],
    [
      "Unable to connect to the server: dial tcp 10.0.0.2:443: i/o timeout",
      "can't be reached from this runner",
    ],
    ["The connection to the server 127.0.0.1:1 was refused", "can't be reached from this runner"],
    ["dial tcp: lookup c.example.com: no such host", "can't be reached from this runner"],
    ['error: context "c" does not exist', "set context to one that the kubeconfig has"],
    [
      'error: resource mapping not found for name: "b": no matches for kind "BackendConfig" in version "cloud.google.com/v1"',
      "HttpLoadBalancing=ENABLED",
    ],
    [`error: the server doesn't have a resource type "backendconfigs"`, "HttpLoadBalancing=ENABLED"],
    ["error: something else", undefined],
  ])("%s", (stderr, remedy) => {
    const { message } = explain("It failed.", {
      exitCode: 1,
      stdout: "",
      stderr: `Warning: old\n${stderr}\n`,
    });
    expect(message).toContain(`It failed.\nWhy: ${stderr}`);
    if (remedy) expect(message).toContain(remedy);
    else expect(message).not.toContain("What to do");
  });

  test("a program that said nothing", () => {
    const { message } = explain("It failed.", { exitCode: 7, stdout: "", stderr: "Warning: x\n" });
    expect(message).toBe("It failed.\nWhy: exit code 7, nothing on standard error");
  });
});

/** Prints what it was called with as the answer; `EMPTY` in the arguments: nothing; `FAIL`: an error. */
const KUBECTL = `#!${process.execPath}
const args = process.argv.slice(2);
if (args.includes("-f")) {
  let input = "";
  process.stdin.on("data", (text) => { input += text; }).on("end", () => answer(input));
} else answer("");
function answer(input) {
  if (args.includes("EMPTY")) return;
  if (args.includes("LIST")) return print({ kind: "List", items: [{ a: 1 }, { a: 2 }] });
  if (args.some((arg) => arg.includes("CONFLICT")) || input.includes("CONFLICT")) {
    console.error('error: Apply failed with 1 conflict: conflict with "helm": .spec.rules');
    process.exit(1);
  }
  if (args.includes("-f")) return print(JSON.parse(input).items.map((item) => ({ ...item, args }))[0]);
  print({ kind: "Pod", args });
}
function print(value) { console.log(JSON.stringify(value)); }
`;

describe("calls", () => {
  let folder = "";
  let kubectl: Program;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kubectl-"));
    kubectl = { name: "kubectl", path: join(folder, "kubectl.cjs") };
    await writeFile(kubectl.path, KUBECTL);
    await chmod(kubectl.path, 0o755);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("get returns the items of a list, a single object, or nothing", async () => {
    expect(await get(kubectl, "ns", ["LIST"])).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await get(kubectl, "ns", ["EMPTY"])).toEqual([]);
    const args = ["get", "pods", "-n", "ns", "-o", "json", "--ignore-not-found", "--request-timeout=30s"];
    expect(await get(kubectl, "ns", ["pods"])).toEqual([{ kind: "Pod", args }]);
  });

  test("getRaw asks for the path", async () => {
    expect(await getRaw(kubectl, "/version")).toEqual({
      kind: "Pod",
      args: ["get", "--raw", "/version", "--request-timeout=30s"],
    });
  });

  const MANIFEST = { apiVersion: "v1", kind: "Secret", metadata: { name: "t" }, data: { key: "c2VjcmV0" } };

  test.each([true, false])(
    "apply is server-side, secrets by standard input (dry run: %s)",
    async (dryRun) => {
      const [applied] = await apply(kubectl, "ns", [MANIFEST], { dryRun });
      expect(applied).toMatchObject(MANIFEST);
      const args = applied?.args;
      expect(args).toEqual(
        expect.arrayContaining(["--server-side", "--field-manager=milvus-gke-load-balancer"]),
      );
      expect(String(args).includes("--dry-run=server")).toBe(dryRun);
      expect(String(args)).not.toMatch(/force|c2VjcmV0/);
    },
  );

  test.each([
    [true, "has fields that something else manages; nothing was changed."],
    [false, "failed: something else manages"],
  ])("a conflict names whose fields they are (dry run: %s)", async (dryRun, what) => {
    const applying = apply(kubectl, "ns", [{ ...MANIFEST, kind: "CONFLICT" }], { dryRun });
    await expect(applying).rejects.toThrow(what);
    await expect(applying).rejects.toThrow('conflict with "helm": .spec.rules');
    await expect(applying).rejects.toThrow("ingress_name, backend_config_name, tls_secret");
  });
});
