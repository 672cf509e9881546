import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Output, run } from "../../src/base/process.ts";

export const PROJECT = join(import.meta.dirname, "../..");
/** The flags that setup/bootstrap.sh needs. */
export const FLAGS = [
  ...["--project", "my-project", "--repository", "acme/search", "--cluster", "my-cluster"],
  ...["--location", "europe-west4", "--host", "milvus.acme.example"],
];

/** A stand-in for gcloud. It remembers what it has created, and notes its arguments. */
const GCLOUD = `#!/usr/bin/env bash
echo "$*" >> "$HOME/asked"
key=$(echo "$*" | sed -E 's/ (describe|create-oidc|create) / /; s/(@| --).*//; s/[^a-z0-9]/-/g')
case "$*" in
  "projects describe"*) echo 987654321 ;;
  "container clusters describe my-cluster"* | "dns managed-zones describe their-zone"*) ;;
  *" describe "*) [ -e "$HOME/made-$key" ] ;;
  *" create"*) touch "$HOME/made-$key" ;;
esac
`;
const GH = `#!/usr/bin/env bash
[ "$*" = 'api repos/acme/search --jq "\\(.id) \\(.owner.id)"' ] && echo "456 123"
`;

/**
 * Makes a machine with stand-ins for gcloud and gh, and returns what runs the script on it.
 *
 * @param atEnd takes what removes it; by default the end of the test does
 */
export async function aMachine(atEnd: (remove: () => Promise<void>) => void = onTestFinished) {
  const home = await mkdtemp(join(tmpdir(), "setup-"));
  atEnd(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, "bin"));
  for (const [name, text] of [
    ["gcloud", GCLOUD],
    ["gh", GH],
  ] as const) {
    await writeFile(join(home, "bin", name), text, { mode: 0o755 });
  }
  const env = { HOME: home, PATH: `${join(home, "bin")}:${process.env.PATH}` };
  const bootstrap = (...args: string[]): Promise<Output> =>
    run({ name: "bash", path: "/usr/bin/env", env }, ["bash", join(PROJECT, "setup/bootstrap.sh"), ...args]);
  const asked = async () => {
    const text = await readFile(join(home, "asked"), "utf8").catch(() => "");
    await writeFile(join(home, "asked"), "");
    return text.trimEnd().split("\n");
  };
  return { bootstrap, asked };
}
