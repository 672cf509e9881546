import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import type { Manifest } from "../../src/kubernetes/api.ts";
import { readManifests, refuseOwnObjects } from "../../src/kubernetes/manifest-files.ts";

const object = (kind: string, name: string, apiVersion = "v1") =>
  JSON.stringify({ apiVersion, kind, metadata: { name } });

/** Makes a workspace with these files beside a folder `outside` and returns its path. */
async function workspace(files: Record<string, string | Buffer>): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "manifests-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "workspace");
  for (const [path, content] of Object.entries({ ".keep": "", ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

async function names(patterns: string[], folder: string): Promise<string[]> {
  const manifests = await readManifests(patterns, folder, "milvus");
  return manifests.map(({ manifest }) => manifest.metadata.name);
}

async function refused(patterns: string[], folder: string): Promise<string> {
  const error = await readManifests(patterns, folder, "milvus").then(
    () => expect.unreachable("it was accepted"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ActionError);
  return error instanceof ActionError ? error.message.replaceAll(folder, "WORKSPACE") : "";
}

const FILES = {
  "b.yaml": object("Secret", "b"),
  "a.yaml": object("Secret", "a"),
  "k8s/c.json": object("Secret", "c"),
  "k8s/deep/d.yaml": object("Secret", "d"),
  "k8s/[prod].yaml": object("Secret", "e"),
};

test.each<[string, string[], string[]]>([
  ["none", [], []],
  ["a file", ["b.yaml"], ["b"]],
  ["files in the order given", ["b.yaml", "a.yaml"], ["b", "a"]],
  ["a glob in alphabetical order", ["*.yaml"], ["a", "b"]],
  ["folders between files", ["k8s/*"], ["e", "c"]],
  ["a file whose name looks like a pattern", ["k8s/[prod].yaml"], ["e"]],
  ["files at any depth", ["**/*.{yaml,json}"], ["a", "b", "e", "c", "d"]],
  ["a file that several patterns match, once", ["b.yaml", "./b.yaml", "*.yaml"], ["b", "a"]],
])("readManifests with %s", async (_, patterns, expected) => {
  expect(await names(patterns, await workspace(FILES))).toEqual(expected);
});

test("readManifests takes files outside the workspace: by absolute path, by ../, or by a link", async () => {
  const folder = await workspace({ "../outside/o.yaml": object("Secret", "o") });
  await symlink("../outside/o.yaml", join(folder, "link.yaml"));
  await symlink("../outside", join(folder, "folder"));
  for (const pattern of [
    join(folder, "../outside/*.yaml"),
    "../outside/o.yaml",
    "link.yaml",
    "folder/*.yaml",
  ]) {
    expect(await names([pattern], folder)).toEqual(["o"]);
  }
});

test("readManifests returns definitions and namespaces first, then the rest in the given order", async () => {
  const folder = await workspace({
    "z.yaml": [
      object("Widget", "w", "example.com/v1"),
      object("Namespace", "n"),
      object("Secret", "s"),
      object("CustomResourceDefinition", "c", "apiextensions.k8s.io/v1"),
    ].join("\n---\n"),
    "y.yaml": object("ConfigMap", "m"),
  });
  expect(await names(["z.yaml", "y.yaml"], folder)).toEqual(["n", "c", "w", "s", "m"]);
});

test("readManifests reports all mistakes together", async () => {
  const folder = await workspace({
    ...FILES,
    "broken.yaml": "a: [",
    "latin1.yaml": Buffer.from(object("Secret", "ä"), "latin1"),
    "other.yaml": `${object("Secret", "x")}\n---\nkind: Secret\n`,
  });
  await symlink("nowhere", join(folder, "k8s/lost.yaml"));
  expect(
    await refused(["none/*.yaml", "k8s", "k8s/*.yaml", "broken.yaml", "latin1.yaml", "other.yaml"], folder),
  ).toMatch(
    new RegExp(
      [
        "^The manifests are not usable; nothing was changed\\.",
        "- none/\\*\\.yaml matches no file in WORKSPACE",
        "- k8s matches no file in WORKSPACE, only a folder \\(for its files: k8s/\\*\\.yaml\\)",
        "- k8s/lost\\.yaml can't be read: ENOENT.*",
        "- broken\\.yaml is not valid YAML at line 1, column 5: .*",
        "- latin1\\.yaml can't be read: it is not UTF-8",
        "- other\\.yaml, document 2, line 3: apiVersion is missing, metadata is missing$",
      ].join("\n"),
    ),
  );
});

test("readManifests annotates mistakes in files of the workspace, not in others", async () => {
  const folder = await workspace({ "k8s/a.yaml": "a: 1\nb: [", "../outside/o.yaml": "kind: Secret\n" });
  const patterns = [join(folder, "k8s/*.yaml"), "../outside/*.yaml", "none.yaml"];
  const error: unknown = await readManifests(patterns, folder, "milvus").catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    annotations: [
      { file: "k8s/a.yaml", line: 2, message: expect.stringContaining("is not valid YAML at line 2") },
    ],
  });
});

test("readManifests refuses what is no file, at once", async () => {
  const folder = await workspace({});
  execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
  await symlink("circle.yaml", join(folder, "circle.yaml"));
  expect(await refused(["pipe.yaml", "*.yaml", "/dev/zero"], folder)).toBe(
    [
      "The manifests are not usable; nothing was changed.",
      "- pipe.yaml can't be read: it is a named pipe, not a file",
      "- circle.yaml can't be read: it is a link that leads back to itself",
      "- /dev/zero can't be read: it is a device, not a file",
    ].join("\n"),
  );
});

test("readManifests gives up a glob that looks through too much or matches too much", async () => {
  const folder = await workspace(
    Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`${n}.yaml`, ""])),
  );
  expect(await refused(["/**/*.no-such-ending", "*.yaml"], folder)).toBe(
    [
      "The manifests are not usable; nothing was changed.",
      "- /**/*.no-such-ending looks through more than 50000 files and folders: name the folder of the manifests in it",
      "- *.yaml matches more than 1000 files",
    ].join("\n"),
  );
});

test("readManifests refuses an object that occurs twice, even in two API versions", async () => {
  const folder = await workspace({
    "a.yaml": `${object("Widget", "w", "example.com/v1")}\n---\n${object("Widget", "w", "example.org/v1")}`,
    "b.yaml": object("Widget", "w", "example.com/v2"),
  });
  expect(await refused(["a.yaml", "b.yaml"], folder)).toBe(
    "The manifests are not usable; nothing was changed.\n" +
      "- b.yaml, document 1, line 1: Widget milvus/w is also in a.yaml, document 1, line 1",
  );
});

test("refuseOwnObjects refuses an object that this action makes itself", async () => {
  const folder = await workspace({
    "a.yaml": `${object("Ingress", "milvus", "networking.k8s.io/v1")}\n---\n${object("Secret", "milvus")}`,
  });
  const manifests = await readManifests(["a.yaml"], folder, "milvus");
  const own = (kind: string, namespace: string): Manifest[] => [
    { apiVersion: "networking.k8s.io/v1", kind, metadata: { name: "milvus", namespace } },
  ];
  expect(() => refuseOwnObjects(manifests, own("Ingress", "milvus"))).toThrow(
    "The manifests are not usable; nothing was changed.\n" +
      "- a.yaml, document 1, line 1: Ingress milvus/milvus is an object that this action makes itself\n" +
      "What to do: take it out of manifests",
  );
  refuseOwnObjects(manifests, own("Ingress", "other"));
  refuseOwnObjects(manifests, own("NetworkPolicy", "milvus"));
});
