import { expect, inject } from "vitest";
import { parseState, type State } from "../../../local-gke/control-plane/state.ts";

/** Borrows a local GKE for this test file, which has it to itself until it gives it back. */
export async function borrow(): Promise<State> {
  return parseState(await ask("lease", { borrower: thisFile() }));
}

/**
 * Gives a local GKE back.
 *
 * @param good whether another file may have it
 * @param namespaces those that this file has made
 * @throws Error if another file has a namespace of the same name: it may get the same cluster
 */
export async function giveBack(name: string, good: boolean, namespaces: string[]): Promise<void> {
  const answer = Object(await ask("return", { borrower: thisFile(), name, good, namespaces }));
  if (answer.taken.length > 0) {
    throw new Error(
      `Another test file has namespaces of the same names: ${answer.taken.join(", ")}. Rename them.`,
    );
  }
}

function thisFile(): string {
  return expect.getState().testPath ?? "";
}

async function ask(what: "lease" | "return", body: object): Promise<unknown> {
  const response = await fetch(`${inject("lender")}/${what}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${what} of a cluster: ${await response.text()}`);
  return response.json();
}
