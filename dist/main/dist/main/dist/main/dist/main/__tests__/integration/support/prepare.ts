import { prepare } from "../../../local-gke/prepare.ts";

/** Has all that the tests need fetched or built before the first of them: on a new machine that takes minutes. */
export default async function prepareAll(): Promise<void> {
  await prepare(["kubectl", "helm3", "helm4", "act"]);
}
