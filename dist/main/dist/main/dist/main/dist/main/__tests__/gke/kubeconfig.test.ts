import { existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { dump, load } from "js-yaml";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  givenKubeconfig,
  privateDirectory,
  removeCredentials,
  writeKubeconfig,
} from "../../src/gke/kubeconfig.ts";
import { temporaryDirectory } from "../support/google.ts";

const CLUSTER = {
  projectId: "my-project",
  location: "us-central1",
  name: "my-cluster",
  server: "https://192.0.2.1",
  caCertificate: "UEVN",
} as const;

const GIVEN = dump({
  apiVersion: "v1",
  kind: "Config",
  contexts: [
    { name: "staging", context: { cluster: "a", user: "a" } },
    { name: "production", context: { cluster: "b", user: "b" } },
  ],
  "current-context": "staging",
});

async function mode(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

test("the directory is private, under RUNNER_TEMP, and new each time", async () => {
  const RUNNER_TEMP = await temporaryDirectory();
  const [first, second] = [await privateDirectory({ RUNNER_TEMP }), await privateDirectory({ RUNNER_TEMP })];
  expect(dirname(first)).toBe(RUNNER_TEMP);
  expect(await mode(first)).toBe("700");
  expect(second).not.toBe(first);
});

test("the directory is elsewhere, and as private, if RUNNER_TEMP is too long for a socket", async () => {
  const RUNNER_TEMP = join(await temporaryDirectory(), "t".repeat(72));
  await mkdir(RUNNER_TEMP);
  const directory = await privateDirectory({ RUNNER_TEMP });
  onTestFinished(() => removeCredentials(directory));
  expect(dirname(directory)).toBe(tmpdir());
  expect(await mode(directory)).toBe("700");
});

describe("our own kubeconfig", () => {
  test("names server, authority and token file", async () => {
    const directory = await temporaryDirectory();
    const { path, context } = await writeKubeconfig(CLUSTER, directory, join(directory, "token"));
    expect(context).toBe("gke_my-project_us-central1_my-cluster");
    expect(load(await readFile(path, "utf8"))).toEqual({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: context,
          cluster: { server: "https://192.0.2.1", "certificate-authority-data": "UEVN" },
        },
      ],
      users: [{ name: context, user: { tokenFile: join(directory, "token") } }],
      contexts: [{ name: context, context: { cluster: context, user: context } }],
      "current-context": context,
    });
    expect(isAbsolute(path)).toBe(true);
    expect(await mode(path)).toBe("600");
  });

  test("names no authority for a DNS-based endpoint", async () => {
    const directory = await temporaryDirectory();
    const dns = { ...CLUSTER, caCertificate: undefined } as const;
    const { path } = await writeKubeconfig(dns, directory, join(directory, "token"));
    expect(await readFile(path, "utf8")).not.toContain("certificate-authority");
  });

  test("can be removed twice", async () => {
    const directory = await privateDirectory({ RUNNER_TEMP: await temporaryDirectory() });
    await writeKubeconfig(CLUSTER, directory, join(directory, "token"));
    await removeCredentials(directory);
    expect(existsSync(directory)).toBe(false);
    await removeCredentials(directory);
  });
});

describe("a kubeconfig that was given", () => {
  test.each([
    [undefined, "staging"],
    ["production", "production"],
  ])("as a path is used as it is, with the context %s", async (wanted, context) => {
    const directory = await temporaryDirectory();
    const path = join(directory, "config");
    await writeFile(path, GIVEN);
    expect(await givenKubeconfig(path, wanted, directory, {})).toEqual({ path, context });
  });

  test("as content is written like ours", async () => {
    const directory = await temporaryDirectory();
    const { path, context } = await givenKubeconfig(GIVEN, "production", directory, {});
    expect(context).toBe("production");
    expect(dirname(path)).toBe(directory);
    expect(await readFile(path, "utf8")).toBe(GIVEN);
    expect(await mode(path)).toBe("600");
  });

  const json = JSON.stringify(load(GIVEN));
  test.each([
    ["JSON", json, json],
    ["flow YAML", "{contexts: [{name: staging}], current-context: staging}", undefined],
    ["base64", Buffer.from(GIVEN).toString("base64"), GIVEN],
    ["base64 of JSON", Buffer.from(json).toString("base64"), json],
    ["base64 over several lines", Buffer.from(GIVEN).toString("base64").replace(/.{76}/g, "$&\r\n"), GIVEN],
  ])("as content in %s is content, not a path", async (_, value, written = value) => {
    const { path, context } = await givenKubeconfig(value, undefined, await temporaryDirectory(), {});
    expect(context).toBe("staging");
    expect(await readFile(path, "utf8")).toBe(written);
  });

  test.each([
    ["lines that have become one", GIVEN.replaceAll("\n", " ")],
    ["a token of base64", Buffer.from("s3cret".repeat(60)).toString("base64")],
    ["a URL with a password", "https://user:s3cret@vault.example.com/kubeconfig"],
    ["a line of it", "token: s3cret"],
  ])("as %s is not shown", async (_, value) => {
    const error = await givenKubeconfig(value, undefined, "/", {}).catch(String);
    expect(error).toContain("The input kubeconfig is neither a kubeconfig nor the path of one.");
    expect(error).not.toContain("s3cret");
    expect(error).not.toContain(value.slice(0, 20));
  });

  test("as several files of KUBECONFIG is read as kubectl does", async () => {
    const directory = await temporaryDirectory();
    const [none, first, second] = ["none", "first", "second"].map((name) => join(directory, name));
    await writeFile(first ?? "", "contexts: [{name: mine}]\n");
    await writeFile(second ?? "", GIVEN);
    const KUBECONFIG = [none, first, second].join(delimiter);
    expect(await givenKubeconfig(undefined, undefined, directory, { KUBECONFIG })).toEqual({
      path: KUBECONFIG,
      context: "staging",
    });
    expect(await givenKubeconfig(undefined, "mine", directory, { KUBECONFIG })).toMatchObject({
      context: "mine",
    });
  });

  test("defaults to KUBECONFIG", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "config");
    await writeFile(path, GIVEN);
    expect(await givenKubeconfig(undefined, "production", directory, { KUBECONFIG: path })).toMatchObject({
      path,
    });
  });

  test.each([
    [
      "another context",
      GIVEN,
      "prod",
      /no context "prod".*contexts are: staging, production.*input context/s,
    ],
    [
      "no current context",
      "kind: Config\ncontexts: [{name: a}]\n",
      undefined,
      /no current context.*contexts are: a/s,
    ],
    ["no contexts", "kind: Config\n\n# nothing", "a", /no context "a".*no contexts at all/s],
    ["no YAML", "kind: Config\nusers: [a\n  token: s3cret\n", undefined, /is not YAML.*line \d/s],
    ["no kubeconfig", "just\ntext", undefined, /no current context/],
  ])("with %s", async (_, content, context, message) => {
    const directory = await temporaryDirectory();
    await expect(givenKubeconfig(content, context, directory, {})).rejects.toThrow(message);
    await expect(givenKubeconfig(content, context, directory, {})).rejects.not.toThrow(/s3cret/);
  });

  test("that doesn't exist, or is no file", async () => {
    const directory = await temporaryDirectory();
    await expect(givenKubeconfig(join(directory, "none"), undefined, directory, {})).rejects.toThrow(
      /none can't be read.*ENOENT.*input kubeconfig/s,
    );
    await mkdir(join(directory, "folder"));
    await expect(givenKubeconfig(join(directory, "folder"), undefined, directory, {})).rejects.toThrow(
      /it is a folder, not a file/,
    );
  });
});
