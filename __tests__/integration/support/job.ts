import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import { cache } from "../../../local-gke/cache.ts";
import { MARK } from "../../../local-gke/control-plane/processes.ts";

/** What is tested: this checkout, unless another one with action.yml and dist/ is named. */
const ACTION = process.env.ACTION_DIRECTORY ?? join(import.meta.dirname, "../../..");

interface ActionYaml {
  inputs: Record<string, { default?: string }>;
  runs: { main: string; post: string };
}
const action: ActionYaml = parse(readFileSync(join(ACTION, "action.yml"), "utf8"));

/** The inputs of a step, by name. One that is undefined has the default of action.yml, as one that is left out. */
export type Inputs = Record<string, string | undefined>;

/** What a step left behind, as the runner reads it. */
export interface StepResult {
  exitCode: number | null;
  /** Everything it printed, line by line. */
  lines: string[];
  outputs: Record<string, string>;
  summary: string;
  state: Record<string, string>;
  /** What the job's later steps have in their environment because of it. */
  variables: Record<string, string>;
  /** The folders that the job's later steps have in front of their PATH because of it, the last one first. */
  path: string[];
  /** The texts of its error annotations, without those at a line of a file. */
  errors: string[];
}

/** A step that runs. */
export interface Step {
  /** Resolves with the first line that matches; rejects when the step ends without one. */
  line(pattern: RegExp): Promise<string>;
  /** Signals the action's process only, as the runner does. */
  kill(signal: NodeJS.Signals): void;
  /** Reads no more of what it prints, as a runner that has died. */
  stopReading(): void;
  ended: Promise<StepResult>;
}

/** A job of a workflow with one step that uses the action, in folders of its own. */
export class Job {
  readonly directory: string;
  readonly temp: string;
  readonly toolCache: string;
  readonly workspace: string;
  readonly #environment: Record<string, string>;
  /** The output of the steps that run. */
  readonly #running = new Set<string[]>();
  #inputs: Inputs = {};
  #state: Record<string, string> = {};

  private constructor(directory: string, environment: Record<string, string>) {
    this.directory = directory;
    this.temp = join(directory, "temp");
    this.toolCache = join(directory, "tool cache");
    this.workspace = join(directory, "workspace");
    this.#environment = {
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_WORKSPACE: this.workspace,
      HOME: join(directory, "home"),
      // The suite starts the action hundreds of times: Node.js compiles it once.
      NODE_COMPILE_CACHE: join(cache(), "compiled"),
      RUNNER_TEMP: this.temp,
      RUNNER_TOOL_CACHE: this.toolCache,
      [MARK]: directory,
      ...environment,
    };
  }

  /**
   * Makes a job's folders.
   *
   * @param directory an empty one
   * @param environment all that the step's processes have beside the runner's own variables
   */
  static async create(directory: string, environment: Record<string, string>): Promise<Job> {
    const job = new Job(directory, environment);
    for (const name of ["temp", "workspace", "home", "tool cache"]) await mkdir(join(directory, name));
    return job;
  }

  /** Starts the main step. Inputs that are not given have action.yml's defaults. */
  start(inputs: Inputs): Step {
    const unknown = Object.keys(inputs).filter((name) => !(name in action.inputs));
    if (unknown.length > 0) throw new Error(`action.yml has no input ${unknown.join(", ")}`);
    this.#inputs = Object.fromEntries(
      Object.entries(action.inputs).map(([name, { default: fallback = "" }]) => [
        `INPUT_${name.toUpperCase()}`,
        // The runner gives a token of its own: a job without pull request needs none.
        inputs[name] ?? fallback.replace(/\$\{\{.*?\}\}/, ""),
      ]),
    );
    const step = this.#launch("main", action.runs.main, {});
    const ended = step.ended.then((result) => {
      this.#state = result.state;
      Object.assign(this.#environment, result.variables);
      this.#environment.PATH = [...result.path, this.#environment.PATH].join(delimiter);
      return result;
    });
    return { ...step, ended };
  }

  /** Runs the main step to its end. */
  main(inputs: Inputs): Promise<StepResult> {
    return this.start(inputs).ended;
  }

  /** Runs the post step, which is handed the main step's state. */
  post(): Promise<StepResult> {
    const state = Object.entries(this.#state).map(([name, value]) => [`STATE_${name}`, value]);
    return this.#launch("post", action.runs.post, Object.fromEntries(state)).ended;
  }

  /** What each step has printed that has not ended. */
  unfinished(): string[][] {
    return [...this.#running];
  }

  #launch(name: string, program: string, extra: Record<string, string>): Step {
    const files = {
      GITHUB_ENV: join(this.directory, `${name}.env`),
      GITHUB_OUTPUT: join(this.directory, `${name}.output`),
      GITHUB_PATH: join(this.directory, `${name}.path`),
      GITHUB_STATE: join(this.directory, `${name}.state`),
      GITHUB_STEP_SUMMARY: join(this.directory, `${name}.summary`),
    };
    for (const file of Object.values(files)) writeFileSync(file, "");
    const child = spawn(process.execPath, [join(ACTION, program)], {
      cwd: this.workspace,
      env: { ...this.#environment, ...this.#inputs, ...files, ...extra },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines: string[] = [];
    this.#running.add(lines);
    const watchers = new Set<() => void>();
    let over = false;
    const changed = () => {
      for (const watcher of [...watchers]) watcher();
    };
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        lines.push(line);
        changed();
      });
    }
    const ended = new Promise<StepResult>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => {
        over = true;
        this.#running.delete(lines);
        changed();
        resolve({
          exitCode,
          lines,
          outputs: readVariables(files.GITHUB_OUTPUT),
          state: readVariables(files.GITHUB_STATE),
          variables: readVariables(files.GITHUB_ENV),
          path: readLines(files.GITHUB_PATH).reverse(),
          summary: readFileSync(files.GITHUB_STEP_SUMMARY, "utf8"),
          errors: lines
            .flatMap((line) => /^::error(?! [^:]*\bfile=)[^:]*::(.*)$/.exec(line)?.[1] ?? [])
            .map(unescapeData),
        });
      });
    });
    const line = (pattern: RegExp) =>
      new Promise<string>((resolve, reject) => {
        const look = () => {
          const found = lines.find((each) => pattern.test(each));
          if (found === undefined && !over) return;
          watchers.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`the step ended without a line like ${pattern}:\n${lines.join("\n")}`));
        };
        watchers.add(look);
        look();
      });
    const stopReading = () => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    return { line, kill: (signal) => child.kill(signal), stopReading, ended };
  }
}

/** Reads `name=value` and `name<<DELIMITER` entries. */
function readVariables(file: string): Record<string, string> {
  const variables: Record<string, string> = {};
  const lines = readFileSync(file, "utf8").split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const [, heredoc, mark] = /^([^=]*?)<<(.+)$/.exec(line) ?? [];
    if (heredoc !== undefined && mark !== undefined) {
      const end = lines.indexOf(mark, index + 1);
      if (end < 0) throw new Error(`${file}: ${heredoc} has no end`);
      variables[heredoc] = lines.slice(index + 1, end).join("\n");
      index = end;
    } else if (line !== "") {
      const [, name, value] = /^([^=]+)=(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`${file}: ${line} sets nothing`);
      variables[name] = value;
    }
  }
  return variables;
}

function readLines(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Undoes the escaping of a workflow command's text. */
function unescapeData(text: string): string {
  return text.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}
