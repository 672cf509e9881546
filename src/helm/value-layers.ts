import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import type { YamlMap } from "../base/yaml.ts";

/** The values of one call of Helm's, each layer laid over those before it. */
export interface ValueLayers {
  /** Values as the user wrote them, in the order in which they are laid over each other. */
  userValues: readonly { text: string }[];
  /** Laid over all others. */
  overlay: YamlMap;
  /** Give Helm `overlay` alone, and have it put that in the place of the release's own values. */
  replacesValues: boolean;
  /** A private folder for the values while Helm runs. */
  directory: string;
}

/**
 * Calls Helm with values, which may be secrets: they reach it by private files, gone when the call has ended, and by
 * standard input.
 */
export async function withValues<T>(
  { userValues, overlay, replacesValues, directory }: ValueLayers,
  call: (flags: string[], input: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(directory, "values-"));
  try {
    const flags: string[] = [];
    for (const [index, { text }] of (replacesValues ? [] : userValues).entries()) {
      const file = join(folder, `${index}.yaml`);
      await writeFile(file, text, { mode: 0o600 });
      flags.push("--values", file);
    }
    return await call([...flags, "--values", "-"], dump(overlay));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
