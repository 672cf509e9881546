import type { State } from "./state.ts";

/** Formats an environment as shell commands. */
export function exportLines(env: Record<string, string>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join("");
}

/** Formats an environment for the file `$GITHUB_ENV`, which sets it for a job's later steps. */
export function githubEnvLines(env: Record<string, string>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** Formats what `local-gke status` prints. */
export function statusLines(
  all: readonly { name: string; directory: string; processes: number[]; state: State | undefined }[],
): string {
  if (all.length === 0) return "No local GKE is running.\n";
  return all
    .map(({ name, directory, processes, state }) => {
      const lines = [`${name}: ${condition(processes, state)}`, `  directory  ${directory}`];
      if (processes.length > 0) lines.push(`  processes  ${processes.join(" ")}`);
      if (state && !state.failure)
        lines.push(`  kubeconfig ${state.kubeconfig}`, `  control    ${state.control}`);
      return `${lines.join("\n")}\n`;
    })
    .join("");
}

function condition(processes: number[], state: State | undefined): string {
  if (state?.failure) return `failed: ${state.failure}`;
  if (processes.length === 0) return "dead; run down to remove it";
  return state ? "running" : "starting";
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
