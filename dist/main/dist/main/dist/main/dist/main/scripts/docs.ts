// Writes the pages of docs/ that are made from the sources.
import { writeFileSync } from "node:fs";
import { permissionsPage } from "./permissions-page.ts";
import { troubleshootingPage } from "./troubleshooting-page.ts";

writeFileSync("docs/permissions.md", permissionsPage());
writeFileSync("docs/troubleshooting.md", troubleshootingPage());
