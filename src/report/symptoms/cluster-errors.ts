import type { OwnError } from "./own-error.ts";

/** The cluster, and the way to it. */
export const CLUSTER_ERRORS: readonly OwnError[] = [
  {
    id: "no-cluster",
    title: "There is no cluster ...",
    pattern:
      /^There is no (cluster|X\.$)|container API (did not answer|doesn't accept)|may not read the|could not be looked up|project of the cluster/,
    cause: "`cluster_name`, `location` or `project_id`, or what the credentials may see",
    remedy: "see `gcloud container clusters list`; grant roles/container.developer in the project",
  },
  {
    id: "cluster-not-running",
    title: "The cluster ... is not running",
    pattern: /is not running: its status/,
    cause: "GKE creates, upgrades or deletes the cluster, or the cluster has an error",
    remedy: "run again when `gcloud container clusters describe` shows RUNNING",
  },
  {
    id: "http-load-balancing-off",
    title: "The HTTP load balancing add-on of the cluster ... is off",
    pattern: /HTTP load balancing add-on|The cluster has no \S+; nothing was changed/,
    cause: "the cluster has no BackendConfig, and no controller for Ingresses",
    remedy: "`gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED`",
  },
  {
    id: "not-vpc-native",
    title: "The cluster ... is not VPC-native",
    pattern: /is not VPC-native/,
    cause: "the cluster is routes-based: no network endpoint groups",
    remedy: "a VPC-native cluster; one can't be converted",
  },
  {
    id: "endpoint",
    title: "The cluster ... has no ... endpoint",
    pattern: /has no (\S+ endpoint|endpoint that can be used)|gives no certificate authority/,
    cause: "`endpoint` names one that the cluster doesn't offer",
    remedy: "one of those that the error lists, or `auto`",
  },
  {
    id: "cluster-unreachable",
    title: "The cluster ... does not answer at its ... endpoint",
    pattern: /does not answer at its/,
    cause: "authorized networks, or a private cluster",
    remedy: "`endpoint: dns` or `endpoint: connect_gateway`",
  },
  {
    id: "connect-gateway",
    title: "Connect gateway gives no endpoint for ...",
    pattern: /[Cc]onnect gateway|fleet membership/,
    cause: "the cluster is in no fleet, an API is off, or a role is missing",
    remedy: "register the cluster; grant roles/gkehub.gatewayEditor; what the error says",
  },
  {
    id: "kubeconfig",
    title: "The kubeconfig ... has no context ...",
    pattern: /kubeconfig/,
    cause: "the file isn't a kubeconfig, can't be read, has no such context, or its login has ended",
    remedy: "set `kubeconfig` and `context`, or `cluster_name` and `location` in place of both",
  },
  {
    id: "missing-rights",
    title: "The account lacks rights that this run needs",
    pattern: /lacks rights that this run needs/,
    cause: "RBAC or IAM; the missing rights are listed",
    remedy: "the role that the error names, or a Role with those rights (`docs/permissions.md`)",
  },
  {
    id: "field-conflict",
    title: "... has fields that something else manages",
    pattern: /something else manages/,
    cause: "another tool, or a person, has set fields of the object",
    remedy: "`adopt: true` to take them over, or other names for this action's objects",
  },
  {
    id: "api-server",
    title: "The API server does not ..., kubectl could not connect to the cluster",
    pattern:
      /API server (does(n't| not)|refuses|rejects|X\.)|^kubectl (could not|proxy)|^The (log of container|watch of)|could not be adopted/,
    cause: "the API server refuses, or can't be reached: its words follow",
    remedy:
      "look its words up [below](#what-the-api-server-kubectl-and-helm-answer); run again if it was a moment's failure",
  },
  {
    id: "no-namespace",
    title: "There is no namespace ... in the cluster",
    pattern: /There is no namespace/,
    cause: "`namespace`, or another cluster than meant",
    remedy: "see `helm list --all-namespaces`; set `namespace`",
  },
  {
    id: "still-deleting",
    title: "... is being deleted, ... is still there after ...",
    pattern: /is being deleted; nothing|is still there/,
    cause: "a finalizer holds the object: its controller isn't done, or isn't there",
    remedy: "`kubectl describe` says what holds it; run again once it is gone",
  },
];
