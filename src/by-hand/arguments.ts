import { readFileSync } from "node:fs";
import { ActionError, messageOf } from "../base/errors.ts";
import type { ActionInput } from "./action-inputs.ts";

/** What the command line asks for. */
export type Command =
  | { kind: "help" }
  | { kind: "run"; inputs: Record<string, string>; output: "text" | "json" };

/** Inputs that are secrets: every user of the machine can read the arguments of a program. */
const SECRETS = ["milvus_token", "github_token", "credentials_json", "tls_private_key"];

/**
 * Reads the arguments of a run by hand. Flags are the action's inputs: `--cluster-name my-cluster`,
 * `--cluster_name=my-cluster`, `--install` for `--install=true`, `--milvus-token=@FILE` for the text of a
 * file. An input without a flag has the variable `INPUT_<NAME>`, else its default.
 *
 * @throws ActionError naming the argument that isn't usable
 */
export function readArguments(
  args: readonly string[],
  declared: readonly ActionInput[],
  environment: NodeJS.ProcessEnv,
): Command {
  const given = new Map<string, string>();
  const left = [...args];
  for (let argument = left.shift(); argument !== undefined; argument = left.shift()) {
    if (argument === "--help" || argument === "-h") return { kind: "help" };
    const [, flag, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const name = flag?.replaceAll("-", "_");
    const input = declared.find((each) => each.name === name);
    if (name === undefined || !(input || name === "output")) throw unknown(argument);
    if (given.has(name)) throw misused(`--${flag} is given twice.`, "give it once");
    // Only a switch may stand alone.
    const isSwitch = input?.fallback === "true" || input?.fallback === "false";
    const isAlone = inline === undefined && (left[0] === undefined || left[0].startsWith("--"));
    const value = isAlone ? (isSwitch ? "true" : undefined) : (inline ?? left.shift());
    if (value === undefined) throw misused(`--${flag} has no value.`, `give it one: --${flag}=VALUE`);
    given.set(name, textOf(name, value));
  }
  const output = given.get("output") ?? "text";
  if (output !== "text" && output !== "json") {
    throw misused(
      `--output: ${JSON.stringify(output)} is not text or json.`,
      "--output=json, or leave it out",
    );
  }
  const inputs = declared.map(({ name, fallback }) => [
    name,
    given.get(name) ?? environment[`INPUT_${name.toUpperCase()}`] ?? fallback,
  ]);
  return { kind: "run", inputs: Object.fromEntries(inputs), output };
}

/** Returns an input's value, or the text of the file that `@FILE` names. */
function textOf(name: string, value: string): string {
  const flag = `--${name.replaceAll("_", "-")}`;
  if (value.startsWith("@")) {
    const path = value.slice(1);
    try {
      return readFileSync(path, "utf8").trimEnd();
    } catch (error) {
      throw misused(
        `${flag}: the file ${path} can't be read.`,
        "name a file that can be read",
        messageOf(error),
      );
    }
  }
  const isSecret = SECRETS.includes(name) || (name === "kubeconfig" && value.includes("\n"));
  if (isSecret) {
    throw misused(
      `${flag} is a secret, which every user of this machine could read in the list of processes.`,
      `put it into a file and give ${flag}=@FILE, or set the variable INPUT_${name.toUpperCase()}`,
    );
  }
  return value;
}

function unknown(argument: string): ActionError {
  return misused(
    `${JSON.stringify(argument)} is not a flag.`,
    "--help lists them: they are the action's inputs",
  );
}

function misused(what: string, fix: string, why?: string): ActionError {
  return new ActionError(what, { fix: `${fix}.`, ...(why !== undefined && { why }) });
}
