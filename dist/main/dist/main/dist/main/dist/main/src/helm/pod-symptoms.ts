import type { TextSymptom } from "../base/symptom.ts";

/** What keeps a pod of a rollout from getting ready, by the reason that Kubernetes gives. */
export const POD_SYMPTOMS: readonly TextSymptom[] = [
  {
    id: "crash-loop",
    title: "CrashLoopBackOff",
    pattern: /^CrashLoopBackOff$/,
    verdict: "lasting",
    cause: "a container ends soon after each start.",
    remedy:
      "read the container's last log lines: often a value in user.yaml, a Secret, or etcd, the object store or the message queue that doesn't answer.",
    source: "kubelet",
  },
  {
    id: "image-pull",
    title: "ErrImagePull, ImagePullBackOff, InvalidImageName",
    pattern: /^(ErrImagePull|ImagePullBackOff|InvalidImageName)$/,
    verdict: "lasting",
    cause: "the image isn't there, or the node may not pull it.",
    remedy:
      "check the values image.all.repository and image.all.tag, the registry's login (image.all.pullSecrets) and, in a private cluster, the way to the registry.",
    source: "kubelet",
  },
  {
    id: "container-config",
    title: "CreateContainerConfigError, CreateContainerError",
    pattern: /^CreateContainer(Config)?Error$/,
    verdict: "lasting",
    cause: "a Secret or ConfigMap that the container needs is missing, or lacks a key.",
    remedy:
      "create what the message names in the release's namespace, or correct the value that refers to it.",
    source: "kubelet",
  },
  {
    id: "unschedulable",
    title: "Unschedulable",
    pattern: /^Unschedulable$/,
    verdict: "lasting",
    cause: "no node has room for the pod, or fits its selectors and tolerations.",
    remedy:
      "make room: more or larger nodes (the node pool's limit, the project's quota of CPUs), smaller requests, or other selectors.",
    source: "kube-scheduler",
  },
  {
    id: "pods-refused",
    title: "FailedCreate",
    pattern: /^FailedCreate$/,
    verdict: "lasting",
    cause:
      "the API server refuses the pods: a policy (Policy Controller, Binary Authorization, Pod Security, Autopilot), a quota, a ServiceAccount that is missing, or a name that is too long.",
    remedy:
      "give the pods what the message asks for, with the input values, or have whoever keeps the policy or the quota admit them.",
    source: "kube-controller-manager",
  },
];
