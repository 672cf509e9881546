/** What a supervisor is started with. */
export interface Assignment {
  name: string;
  directory: string;
  /** Whether the local GKE ends with the process that started it. */
  owned: boolean;
}

/** What is known of a local GKE that is ready, also kept in its {@link STATE_FILE}. */
export interface State {
  name: string;
  directory: string;
  /** Path of a kubeconfig with all rights. */
  kubeconfig: string;
  /** URL of the endpoint described in control-api.ts. */
  control: string;
  /** Environment that leads the action, kubectl and helm to it. */
  env: Record<string, string>;
  /** Why it ended by itself. */
  failure?: string;
}

/** What a supervisor says to the process that started it. */
export type Report = { type: "ready"; state: State } | { type: "failed"; message: string };

export const STATE_FILE = "state.json";

/** @throws Error when it isn't one */
export function parseAssignment(text: string | undefined): Assignment {
  const value: unknown = JSON.parse(text ?? "null");
  if (isRecord(value)) {
    const { name, directory, owned } = value;
    if (typeof name === "string" && typeof directory === "string" && typeof owned === "boolean") {
      return { name, directory, owned };
    }
  }
  throw new Error("the supervisor is started by cluster.ts, not by hand");
}

/** @throws Error when it isn't one, e.g. of another version */
export function parseState(value: unknown): State {
  if (isRecord(value)) {
    const { name, directory, kubeconfig, control, env, failure } = value;
    if (
      typeof name === "string" &&
      typeof directory === "string" &&
      typeof kubeconfig === "string" &&
      typeof control === "string" &&
      isStringMap(env)
    ) {
      const state = { name, directory, kubeconfig, control, env };
      return typeof failure === "string" ? { ...state, failure } : state;
    }
  }
  throw new Error(`this is no state of a local GKE: ${JSON.stringify(value)}`);
}

/** @throws Error when it isn't one */
export function parseReport(value: unknown): Report {
  if (isRecord(value)) {
    const { type, state, message } = value;
    if (type === "ready") return { type, state: parseState(state) };
    if (type === "failed" && typeof message === "string") return { type, message };
  }
  throw new Error(`the supervisor said ${JSON.stringify(value)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isStringMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((member) => typeof member === "string");
}
