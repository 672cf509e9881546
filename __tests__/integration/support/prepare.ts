import { binaries } from "../../../local-gke/binaries/binaries.ts";
import { milvusPython } from "../../../local-gke/milvus/python.ts";

/** Has all that a local GKE consists of built before the first test: on a new machine that takes minutes. */
export default async function prepare(): Promise<void> {
  await binaries(["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"]);
  await binaries(["helm3", "helm4", "act"]);
  await milvusPython();
}
