import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { permissionsPage } from "../scripts/permissions-page.ts";

test("docs/permissions.md is what the tables of the check say (npm run docs writes it)", () => {
  const page = join(import.meta.dirname, "../docs/permissions.md");
  expect(readFileSync(page, "utf8")).toBe(permissionsPage());
});
