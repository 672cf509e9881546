import { isBuiltin } from "node:module";
import { resolve } from "node:path";
import type { ChunkingContext, CodeSplittingOptions, Plugin } from "rolldown";

const BUILTIN = "\0builtin:";

/**
 * Gets Node.js's own modules by `require`. An `import` reads each export of the module at once: that of `http` loads
 * Node.js's WebSocket and fetch, which takes as long as a fifth of a start.
 */
export const builtinsByRequire: Plugin = {
  name: "builtins-by-require",
  resolveId(id, importer) {
    if (importer?.startsWith(BUILTIN)) return { id, external: true };
    // The runtime of the bundle makes `require` with it.
    if (!isBuiltin(id) || /^(node:)?module$/.test(id)) return null;
    return BUILTIN + id.replace(/^node:/, "");
  },
  load(id) {
    if (!id.startsWith(BUILTIN)) return null;
    return { code: `module.exports = require("node:${id.slice(BUILTIN.length)}");`, moduleType: "js" };
  },
};

/** Writes characters outside ASCII as escapes. V8 reads a text that has one in twice as much memory, and more slowly. */
export const asciiOnly: Plugin = {
  name: "ascii-only",
  generateBundle(_, bundle) {
    for (const part of Object.values(bundle)) {
      if (part.type !== "chunk") continue;
      part.code = part.code.replace(
        /[\u0080-\uffff]/g,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    }
  },
};

/**
 * Puts all that a part's modules import into one file. Each further file costs Node.js milliseconds.
 *
 * @param entry the program's first module, which stays by itself: it runs until the program ends, and what imports the
 *   file of a module that still runs would wait for it
 * @param parts the modules that a part begins with, by its name; a module belongs to the first part that has it
 */
export function partsOf(entry: string, parts: Record<string, string[]>): CodeSplittingOptions {
  const found = new Map<string, string>();
  const find = (context: ChunkingContext) => {
    for (const [name, roots] of Object.entries(parts)) {
      const pending = roots.map((root) => resolve(root));
      for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
        if (found.has(id)) continue;
        found.set(id, name);
        pending.push(...(context.getModuleInfo(id)?.importedIds ?? []));
      }
    }
  };
  return {
    includeDependenciesRecursively: false,
    groups: [
      {
        debugName: "parts",
        name: (id, context) => {
          if (found.size === 0) find(context);
          return id === resolve(entry) ? null : (found.get(id) ?? null);
        },
      },
    ],
  };
}
