import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const DIST = join(import.meta.dirname, "../../dist/index.js");

function start(preload: string) {
  const source = `data:text/javascript,${encodeURIComponent(preload)}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", source, DIST], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });
  return { output: stdout + stderr, status };
}

test("an error that nobody has caught is one annotation, not the whole program's text", () => {
  const { output, status } = start(`process.on("newListener", (name) => {
    if (name === "uncaughtException") setTimeout(() => { throw new Error("out of the blue"); });
  });`);
  expect(status).toBe(1);
  expect(output).toContain("::error::An error that this action does not know: out of the blue");
  expect(Math.max(...output.split("\n").map((line) => line.length))).toBeLessThan(2000);
});

test("a Node.js that is too old is told so", () => {
  const { output, status } = start(
    `Object.defineProperty(process.versions, "node", { value: "20.20.2", configurable: true });`,
  );
  expect(status).toBe(1);
  expect(output).toContain("::error::This action runs on Node.js 24");
});
