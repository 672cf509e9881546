import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SECTIONS, troubleshootingPage } from "../scripts/troubleshooting-page.ts";
import { TOKEN_ERRORS } from "../src/gke/token-errors.ts";
import { OWN_ERRORS, ownErrorIn } from "../src/report/symptoms/symptom-of.ts";

const project = join(import.meta.dirname, "..");
const sources = readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join(project, "src", path), "utf8") }));

test("docs/troubleshooting.md is what the tables say (npm run docs writes it)", () => {
  expect(readFileSync(join(project, "docs/troubleshooting.md"), "utf8")).toBe(troubleshootingPage());
});

test("each anchor is there once", () => {
  const anchors = [...troubleshootingPage().matchAll(/<a id="(.*?)">/g)].map(([, id]) => id);
  expect(anchors.filter((id, index) => anchors.indexOf(id) !== index)).toEqual([]);
});

test("every table of symptoms in src/ is on the page", () => {
  const tables = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/^\s+id: "([a-z0-9-]+)",$/gm)].map(([, id]) => ({ path, id })),
  );
  expect(tables.length).toBeGreaterThan(150);
  const ids = new Set(SECTIONS.flatMap(({ rows }) => rows.map(({ id }) => id)));
  expect(tables.filter(({ id }) => !ids.has(id ?? ""))).toEqual([]);
});

const CLASSES = sources.flatMap(({ text }) =>
  [...text.matchAll(/class (\w+) extends ActionError\b/g)].map(([, name]) => name),
);
/** What makes an error: a class, or a function whose first argument says what happened. */
const THROWS = new RegExp(
  `\\b(?:new (?:${["ActionError", ...CLASSES].join("|")})|(?:helm|api|connection|mistakes)Error)\\(`,
  "g",
);
/** What says it elsewhere. */
const SAYS = /\b(?:what|summary)(?: =|:)/g;

/** Returns the end of a string literal that begins at `start`, the nested ones of a template included. */
function endOfLiteral(text: string, start: number): number {
  const quote = text[start];
  let index = start + 1;
  while (index < text.length && text[index] !== quote) {
    if (text[index] === "\\") index += 2;
    else if (quote === "`" && text.startsWith("${", index)) index = endOfExpression(text, index + 2) + 1;
    else index += 1;
  }
  return index + 1;
}

/** Returns where an expression ends: at the bracket, comma or semicolon that isn't its own. */
function endOfExpression(text: string, start: number): number {
  let index = start;
  for (let depth = 0; index < text.length; ) {
    const character = text[index] ?? "";
    if (/["'`]/.test(character)) {
      index = endOfLiteral(text, index);
      continue;
    }
    if (depth === 0 && /[)}\],;]/.test(character)) break;
    if (/[([{]/.test(character)) depth += 1;
    if (/[)\]}]/.test(character)) depth -= 1;
    index += 1;
  }
  return index;
}

/**
 * Tells a whole sentence from a part of one, and from other texts. `X failed.`
 * ends one that begins elsewhere.
 */
function isSentence(text: string): boolean {
  const begins = /^(X|[A-Z]|helm|gcloud|kubectl|extraConfigFiles|pre_shared)/.test(text);
  return begins && / [a-z]{2}.*[.X;]/.test(text) && !/^X(\\n| failed\.$|; nothing was changed\.$)/.test(text);
}

/** Returns the sentences among the literals of an expression, with X for what a template fills in. */
function sentencesIn(text: string, start: number): string[] {
  const end = endOfExpression(text, start);
  const found: string[] = [];
  for (let index = start; index < end; ) {
    if (!/["'`]/.test(text[index] ?? "")) {
      index += 1;
      continue;
    }
    const after = endOfLiteral(text, index);
    const raw = text.slice(index + 1, after - 1);
    let filled = "";
    for (let at = 0; at < raw.length; ) {
      if (raw.startsWith("${", at)) {
        filled += "X";
        at = endOfExpression(raw, at + 2) + 1;
      } else {
        filled += raw[at] === "\\" ? raw.slice(at, at + 2) : raw[at];
        at += raw[at] === "\\" ? 2 : 1;
      }
    }
    if (isSentence(filled)) found.push(filled.split("\\n", 1)[0] ?? "");
    index = after;
  }
  return found;
}

describe("an error has a row", () => {
  const sentences = sources.flatMap(({ path, text }) =>
    path.startsWith("tools/http") || path.startsWith("report/symptoms")
      ? []
      : [THROWS, SAYS].flatMap((pattern) =>
          [...text.matchAll(pattern)]
            .flatMap(({ index, 0: { length } }) => sentencesIn(text, index + length))
            .map((sentence) => ({ path, sentence })),
        ),
  );
  test("the errors of src/ are found", () => {
    expect(sentences.length).toBeGreaterThan(140);
  });
  test("each row is that of an error in src/", () => {
    const used = new Set(sentences.map(({ sentence }) => ownErrorIn(sentence)));
    expect(OWN_ERRORS.filter((row) => !used.has(row)).map(({ id }) => id)).toEqual([]);
  });
  test.each(sentences)("$path: $sentence", ({ sentence }) => {
    const hasOwnId = TOKEN_ERRORS.some(({ what }) => what === sentence);
    expect(hasOwnId || ownErrorIn(sentence)?.id).toBeTruthy();
  });
});
