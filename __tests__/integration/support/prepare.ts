import { which } from "@actions/io";
import { goModule, javaClassPath } from "../../../local-gke/languages/prepare-clients.ts";
import { prepare } from "../../../local-gke/prepare.ts";

/**
 * Has all that the tests need fetched or built before the first of them: on a new machine that takes minutes.
 */
export default async function prepareAll(): Promise<void> {
  await prepare(["kubectl", "helm3", "helm4", "act"]);
  if (await which("go")) await goModule();
  if (await which("mvn")) await javaClassPath();
}
