import { allOf } from "../src/base/async.ts";
import { binaries, type Watching } from "./binaries/binaries.ts";
import type { BinaryName } from "./binaries/pins.ts";
import { PROGRAMS } from "./control-plane/programs.ts";
import { milvusPython } from "./milvus/python.ts";

/**
 * Downloads or builds everything that a local GKE needs: its programs and Milvus, side by side.
 *
 * @param names further programs, so that one build makes them too
 * @returns the paths of the further programs
 * @throws Error if something is not available; the other work then ends too
 */
export async function prepare<Name extends BinaryName>(
  names: readonly Name[],
  { say, signal }: Watching = {},
): Promise<Record<Name, string>> {
  const failed = new AbortController();
  const anyEnd = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
  const endingOthers = (error: unknown): never => {
    failed.abort(error);
    throw error;
  };
  const [programs] = await allOf([
    binaries([...PROGRAMS, ...names], { say, signal: anyEnd }).catch(endingOthers),
    milvusPython(say, anyEnd).catch(endingOthers),
  ]);
  return programs;
}
