// Fails when the committed dist/ is not what the sources build.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const fresh = "build/dist";
execFileSync(process.execPath, ["scripts/build.ts", fresh], { stdio: "inherit" });
const listing = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
const names = new Set([...listing(fresh), ...listing("dist")]);
const read = (path: string) => {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
};
const stale = [...names].filter((name) => {
  const [built, committed] = [read(join(fresh, name)), read(join("dist", name))];
  return !built || !committed || !built.equals(committed);
});
if (stale.length > 0) {
  console.error(
    `dist/ is not what the sources build: ${stale.join(", ")}. Run \`npm run build\` and commit dist/.`,
  );
  process.exit(1);
}
