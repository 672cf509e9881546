export interface SupervisorOptions {
  name: string;
  directory: string;
  /** If true, the local GKE ends with the process that started it. */
  owned: boolean;
}

/** Describes a ready local GKE; also stored in its {@link STATE_FILE}. */
export interface State {
  name: string;
  directory: string;
  /** Path of a cluster admin's kubeconfig. */
  kubeconfig: string;
  /** URL of the endpoint described in control-api.ts. */
  control: string;
  /** Directs the action, kubectl and helm to this local GKE. */
  env: Record<string, string>;
  /** Why it ended unexpectedly. */
  failure?: string;
}

/** A supervisor sends it to the process that started it. */
export type SupervisorMessage = { type: "ready"; state: State } | { type: "failed"; message: string };

export const STATE_FILE = "state.json";

/** @throws Error if the text is not valid */
export function parseSupervisorOptions(text: string | undefined): SupervisorOptions {
  const value: unknown = JSON.parse(text ?? "null");
  if (isRecord(value)) {
    const { name, directory, owned } = value;
    if (typeof name === "string" && typeof directory === "string" && typeof owned === "boolean") {
      return { name, directory, owned };
    }
  }
  throw new Error("cluster.ts starts the supervisor; it can't be started by hand");
}

/** @throws Error if the value is not valid, e.g. written by another version */
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
  throw new Error(`this is not the state of a local GKE: ${JSON.stringify(value)}`);
}

/** @throws Error if the value is not valid */
export function parseSupervisorMessage(value: unknown): SupervisorMessage {
  if (isRecord(value)) {
    const { type, state, message } = value;
    if (type === "ready") return { type, state: parseState(state) };
    if (type === "failed" && typeof message === "string") return { type, message };
  }
  throw new Error(`the supervisor sent ${JSON.stringify(value)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isStringMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((member) => typeof member === "string");
}
