import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/*
 * For `node --import`: appends the path of every file that is loaded as a module to the file that LOADED_MODULES
 * names.
 */

const list = process.env.LOADED_MODULES;
if (list) {
  registerHooks({
    load(url, context, nextLoad) {
      if (url.startsWith("file:")) appendFileSync(list, `${fileURLToPath(url)}\n`);
      return nextLoad(url, context);
    },
  });
}
