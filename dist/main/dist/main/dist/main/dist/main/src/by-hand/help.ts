import type { InputGroup } from "./action-inputs.ts";

const WIDTH = 100;
const INDENT = 6;

/** Returns what `--help` prints: how to use it, and the inputs as flags, in the groups of action.yml. */
export function helpText(groups: readonly InputGroup[]): string {
  return [
    "Puts a Milvus release on GKE behind a Google layer-7 load balancer, as the GitHub Action does.",
    "",
    "  node dist/index.js --host NAME --cluster-name NAME --location PLACE [--mode plan] [FLAG]...",
    "",
    "Flags are the action's inputs. --FLAG=@FILE takes the text of a file, as secrets need it; the variable",
    "INPUT_<NAME> takes the place of a flag. The identity is that of Application Default Credentials or of",
    "gcloud's login. The log goes to standard error, the result to standard output.",
    "",
    "  --output text|json",
    ...wrapped("How the result is printed: a table, or all outputs as JSON. Default: text."),
    "  --help",
    "",
    "Exit codes: 0 success, 1 the run failed or found changes with fail_on_changes, 2 the command line is not",
    "usable, 130 cancelled with Ctrl-C, 143 terminated.",
    ...groups.flatMap(({ title, inputs }) => [
      "",
      `${title}:`,
      ...inputs
        .filter(({ isDeprecated }) => !isDeprecated)
        .flatMap(({ name, description, fallback }) => [
          `  --${name.replaceAll("_", "-")}`,
          ...wrapped(fallback === "" ? description : `${description} Default: ${fallback}.`),
        ]),
    ]),
    "",
  ].join("\n");
}

/** Breaks a text into indented lines. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${" ".repeat(INDENT)}${each}`);
}
