// Writes a picture of a job's page: `npm run picture -- SUMMARY.md PICTURE.png`.
import { readFile } from "node:fs/promises";
import { showPage } from "./job-page.ts";

const [summary, picture] = process.argv.slice(2);
if (!summary || !picture?.endsWith(".png"))
  throw new Error("Usage: npm run picture -- SUMMARY.md PICTURE.png");
await showPage(await readFile(summary, "utf8"), picture);
