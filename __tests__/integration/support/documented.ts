import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const ACTION = "OWNER/milvus-gke-load-balancer@v1";

interface Step {
  uses?: string;
  with: Record<string, string | boolean>;
}

/** Returns the inputs of the action's step in each section of a page of docs/ that has a workflow. */
export function documentedInputs(page: string): Map<string, Record<string, string>> {
  const document = readFileSync(join(import.meta.dirname, "../../../docs", page), "utf8");
  const found = new Map<string, Record<string, string>>();
  for (const section of document.split(/^## /m)) {
    const [, yaml] = /^```yaml\n(.*?)^```$/ms.exec(section) ?? [];
    if (!yaml) continue;
    const steps: Step[] = parse(yaml).jobs.milvus.steps;
    const inputs = steps.find(({ uses }) => uses === ACTION)?.with ?? {};
    const texts = Object.entries(inputs).map(([name, value]) => [name, String(value)]);
    found.set(section.split("\n")[0] ?? "", Object.fromEntries(texts));
  }
  return found;
}

/** Returns inputs with secrets of the repository in their places. */
export function withSecrets(
  inputs: Record<string, string>,
  secrets: Record<string, string>,
): Record<string, string> {
  const put = (value: string) =>
    value.replace(/\$\{\{ secrets\.(\w+) \}\}/g, (_, name: string) => secrets[name] ?? "");
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, put(value)]));
}
