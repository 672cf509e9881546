import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import type { Hook } from "./hook.ts";
import type { Helm } from "./upgrade.ts";

/** The name of the plugin. */
const PLUGIN = "pinned-manifest";
/** Prints the file that is its only argument. Node.js is on every runner; `cat` isn't on Windows. */
const PRINT = [
  "-e",
  "const { readFileSync, writeFileSync } = require('node:fs'); writeFileSync(1, readFileSync(process.argv[1]))",
];

/**
 * Runs work with a Helm that applies and records this manifest, whatever the chart renders: a post-renderer
 * answers with it. Helm 3 takes any program as post-renderer. Helm 4 takes a plugin, and hands it the hooks
 * too (helm pkg/action/action.go, renderResources).
 *
 * @param directory a private folder: manifests have secrets. The files are deleted after the work
 */
export async function withManifest<T>(
  helm: Helm,
  { manifest, hooks }: { manifest: string; hooks: readonly Hook[] },
  directory: string,
  work: (helm: Helm) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(directory, "manifest-"));
  const file = join(folder, "manifest.yaml");
  const isHelm3 = helm.version.startsWith("3.");
  const documents = isHelm3 ? [manifest] : [manifest, ...hooks.map((hook) => `---\n${hook.manifest}\n`)];
  try {
    await writeFile(file, documents.join(""), { mode: 0o600 });
    const pinned = isHelm3
      ? { ...helm, postRenderer: process.execPath, postRendererArgs: [...PRINT, file] }
      : await withPlugin(helm, folder, file);
    return await work(pinned);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withPlugin(helm: Helm, folder: string, file: string): Promise<Helm> {
  const plugins = join(folder, "plugins");
  await mkdir(join(plugins, PLUGIN), { recursive: true });
  // Helm splits a command at its spaces before it expands variables.
  const command = { command: "$PINNED_PROGRAM", args: [...PRINT, "$PINNED_MANIFEST"] };
  const plugin = {
    apiVersion: "v1",
    type: "postrenderer/v1",
    name: PLUGIN,
    version: "1.0.0",
    runtime: "subprocess",
    runtimeConfig: { platformCommand: [command] },
  };
  await writeFile(join(plugins, PLUGIN, "plugin.yaml"), dump(plugin));
  const env = { HELM_PLUGINS: plugins, PINNED_PROGRAM: process.execPath, PINNED_MANIFEST: file };
  return { ...helm, postRenderer: PLUGIN, env: { ...helm.env, ...env } };
}
