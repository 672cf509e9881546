import { which } from "@actions/io";
import type { Program } from "../base/process.ts";
import { ApiServer } from "../kubernetes/api.ts";

/**
 * Opens a connection to the API server with the kubectl on PATH while that tells its version, because nearly
 * every run uses it. If the run uses another kubectl, opens the connection again with that one.
 *
 * @param choosing settles with the kubectl that the run uses
 * @param context what directs kubectl to the cluster
 * @param directory a folder that only this job's user can enter
 * @param whileOpening called once the kubectl on PATH is starting
 * @throws ActionError when the kubeconfig can't be used; what `choosing` throws
 */
export async function openApi(
  choosing: Promise<Program>,
  context: Pick<Program, "env" | "leadingArgs">,
  directory: string,
  whileOpening: () => void,
): Promise<ApiServer> {
  const onPath = await which("kubectl");
  const abandoned = new AbortController();
  const opening = onPath
    ? ApiServer.open({ name: "kubectl", path: onPath, ...context }, directory, abandoned.signal)
    : undefined;
  const abandon = async () => {
    abandoned.abort();
    await opening?.then(
      (api) => api.close(),
      () => {},
    );
  };
  // Errors of a kubectl that the run doesn't use don't count.
  opening?.catch(() => {});
  whileOpening();
  let kubectl: Program;
  try {
    kubectl = await choosing;
  } catch (error) {
    await abandon();
    throw error;
  }
  if (opening && kubectl.path === onPath) return await opening;
  await abandon();
  return await ApiServer.open({ ...kubectl, ...context }, directory);
}
