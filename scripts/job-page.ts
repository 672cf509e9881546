import { createReadStream, createWriteStream } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { marked } from "marked";
import puppeteer from "puppeteer-core";
import { keep } from "../local-gke/cache.ts";

const { resolve } = createRequire(import.meta.url);
const CHROMIUM = join(dirname(resolve("@sparticuz/chromium")), "../../bin/chromium.br");
const MERMAID = resolve("@mermaid-js/tiny");
const STYLE = resolve("github-markdown-css/github-markdown-light.css");
const WIDTH = 1012;
/** Mermaid rejects with an object of its parser, which has no message. */
const DRAW = "mermaid.run().catch(({ message, str }) => { throw new Error(message ?? str) })";

/** Whether the browser runs here: its package has it for one platform. */
export const CAN_SHOW_PAGES = process.platform === "linux" && process.arch === "x64";

/**
 * Shows a job summary in headless Chromium, where Mermaid draws its diagrams, and
 * returns the text of each diagram.
 *
 * @param picture where to write a picture of the page, as PNG
 * @throws Error that Mermaid reports for a diagram
 */
export async function showPage(markdown: string, picture?: string): Promise<string[]> {
  const browser = await puppeteer.launch({
    executablePath: await chromium(),
    headless: "shell",
    args: ["--no-sandbox", "--no-zygote", "--single-process", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage();
    await page.setViewport({ width: WIDTH, height: 100, deviceScaleFactor: 1.5 });
    await page.setContent(await pageOf(markdown));
    await page.addScriptTag({ path: MERMAID });
    await page.evaluate("mermaid.initialize({ startOnLoad: false })");
    // A diagram in a closed fold has no size to draw it for.
    await page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true");
    await page.evaluate(DRAW);
    const drawn = await page.$$eval(".mermaid svg", (all) => all.map(({ textContent }) => textContent ?? ""));
    await page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = false");
    const body = picture === undefined ? null : await page.$("body");
    if (body && picture !== undefined) await writeFile(picture, await body.screenshot());
    return drawn;
  } finally {
    await browser.close();
  }
}

async function pageOf(markdown: string): Promise<string> {
  // GitHub shows these as coloured boxes, which the parser doesn't know.
  const known = markdown.replace(/^> \[!(\w+)\]$/gm, (_, kind: string) => `> **${kind}**\n>`);
  const html = await marked.parse(known);
  const body = html.replace(
    /<pre><code class="language-mermaid">(.*?)<\/code><\/pre>/gs,
    '<pre class="mermaid">$1</pre>',
  );
  const style = `${await readFile(STYLE, "utf8")} body { padding: 24px }`;
  return `<!doctype html><meta charset="utf-8"><style>${style}</style><body class="markdown-body">${body}`;
}

/** Returns the path of Chromium, which its package holds compressed. */
async function chromium(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(dirname(CHROMIUM), "../package.json"), "utf8"));
  return keep(`chromium-${version}`, "chromium", async (folder) => {
    const path = join(folder, "chromium");
    await pipeline(createReadStream(CHROMIUM), createBrotliDecompress(), createWriteStream(path));
    await chmod(path, 0o755);
  });
}
