import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "../../local-gke/control-plane/control-plane.ts";

/** Starts a Kubernetes control plane in a folder of its own, which goes when it is stopped. */
export async function aControlPlane(): Promise<ControlPlane & { directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "control-plane-"));
  // Nobody presents a token that the API server would have to ask about.
  const controlPlane = await startControlPlane(directory, "http://127.0.0.1:9");
  return {
    ...controlPlane,
    directory,
    async stop() {
      await controlPlane.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
