import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/*
 * For `node --import`. Appends the path of each file that Node.js loads as a module to the file
 * LOADED_MODULES.
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
