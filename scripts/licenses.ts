import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

const Package = v.object({ name: v.string(), version: v.string(), license: v.string() });

/**
 * Returns the names of the packages to which modules belong, with their licenses as texts.
 *
 * @param modules the paths of the modules
 */
export function licensesOf(modules: readonly string[]): string {
  const folders = new Set(modules.flatMap((path) => packageFolder(path) ?? []));
  const texts = [...folders].map((folder) => {
    const { name, version, license } = v.parse(
      v.pipe(v.string(), v.parseJson(), Package),
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
    return `${name} ${version}\n${license}\n${text.trimEnd()}`.trimEnd();
  });
  return `${texts.sort().join("\n\n")}\n`;
}

/** Some packages have a package.json in a folder below their own, which has no name. */
function packageFolder(path: string): string | undefined {
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.replaceAll("\\", "/")) ?? [];
  return folder;
}
