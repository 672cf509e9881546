import type { ErrorDetails } from "../base/errors.ts";
import { symptomIn, type TextSymptom } from "../base/symptom.ts";

/** What the API server, kubectl and Helm refuse, and how. The first that shows counts. */
export const REFUSALS: readonly TextSymptom[] = [
  {
    id: "program-killed",
    title: "helm was killed by SIGKILL, kubectl was killed by SIGKILL",
    pattern: /^(helm|kubectl) was killed by SIG/m,
    verdict: "lasting",
    cause: "the runner has no memory left, or something on it ends programs.",
    remedy:
      "see the log of the runner's system (`dmesg`) for what ended the program; if memory ran out, give the runner more. Then run again.",
    source: "the runner's system",
  },
  {
    id: "credential-plugin",
    title: "getting credentials: exec",
    pattern: /getting credentials: exec/,
    verdict: "lasting",
    cause: "the kubeconfig's credential plugin doesn't run.",
    remedy:
      "the kubeconfig's credential plugin must be installed and signed in on this runner (for GKE gke-gcloud-auth-plugin); or set location and cluster_name instead of kubeconfig.",
    source: "client-go",
  },
  // kubectl prints this after it has asked for a user name in vain.
  {
    id: "no-user",
    title: "error: EOF",
    pattern: /^error: EOF$/,
    verdict: "lasting",
    cause: "the kubeconfig's context has no credentials, so kubectl asks for a user name.",
    remedy: "the kubeconfig has no credentials for its context: give its user a token or a certificate.",
    source: "kubectl",
  },
  {
    id: "unauthorized",
    title: "Unauthorized",
    pattern: /Unauthorized|must be logged in|provide credentials/,
    verdict: "lasting",
    cause: "the API server doesn't accept the credentials.",
    remedy:
      "the cluster refuses the credentials: check the account and, with kubeconfig, that its token is still valid.",
    source: "kube-apiserver 401",
  },
  {
    id: "secret-too-large",
    title: "is invalid: data: Too long",
    pattern: /is invalid: data: Too long/,
    verdict: "lasting",
    cause: "a Secret would hold more than 1 MiB.",
    remedy:
      "a Secret holds at most 1 MiB, and Helm keeps a release in one, with its chart, values and objects: move large texts out of values and values_files into ConfigMaps or Secrets of their own.",
    source: "kube-apiserver 422",
  },
  // These are about the object, not about the account's rights, though they say Forbidden.
  {
    id: "update-forbidden",
    title: "Forbidden: updates to ... spec",
    pattern: /Forbidden: (updates to \w+ spec|spec is immutable)|StatefulSet\S* .*Forbidden/i,
    verdict: "lasting",
    cause: "the object has a field that can't change any more.",
    remedy:
      "that can only be set when the object is created: restore the old value, or delete the object first (a StatefulSet with `kubectl delete statefulset NAME --cascade=orphan`, which leaves its pods and data) and run again.",
    source: "kube-apiserver 422",
  },
  {
    id: "value-forbidden",
    title: "is invalid: ... Forbidden",
    pattern: /is invalid: .*(Forbidden:|may not change once set)/s,
    verdict: "lasting",
    cause: "the API server doesn't accept a value together with others.",
    remedy:
      "the API server does not accept this value: correct it where it is set (values, values_files), or undo by hand what was set outside Helm.",
    source: "kube-apiserver 422",
  },
  {
    id: "webhook-silent",
    title: "failed calling webhook",
    pattern: /failed calling webhook/,
    verdict: "lasting",
    cause: "an admission webhook doesn't answer.",
    remedy:
      "an admission webhook of the cluster doesn't answer: see that its pods run and, in a private cluster, that a firewall rule lets the control plane reach them on their port.",
    source: "kube-apiserver 500",
  },
  {
    id: "etcd-busy",
    title: "etcdserver: request timed out",
    pattern: /etcdserver: (request timed out|leader changed)/,
    verdict: "passing",
    cause: "the control plane is busy or restarts.",
    remedy: "the cluster's control plane was busy or restarting: run again.",
    source: "kube-apiserver 500",
  },
  {
    id: "resource-quota",
    title: "exceeded quota",
    pattern: /exceeded quota/,
    verdict: "lasting",
    cause: "a ResourceQuota of the namespace is used up.",
    remedy:
      "raise that ResourceQuota of the namespace, or delete what is no longer needed there, and run again.",
    source: "kube-apiserver 403",
  },
  {
    id: "namespace-terminating",
    title: "because it is being terminated",
    pattern: /because it is being terminated/,
    verdict: "lasting",
    cause: "the namespace is being deleted.",
    remedy:
      "the namespace is being deleted: run again when it has been deleted and created again, or set namespace to another one.",
    source: "kube-apiserver 403",
  },
  {
    id: "webhook-denied",
    title: "admission webhook ... denied the request",
    pattern: /admission webhook .* denied the request/,
    verdict: "lasting",
    cause: "a policy of the cluster refuses the object.",
    remedy:
      "a policy of the cluster refuses the object: change what it names, or ask its owners for an exception.",
    source: "kube-apiserver, admission",
  },
  {
    id: "rights-not-held",
    title: "attempting to grant RBAC permissions not currently held",
    pattern: /attempting to grant RBAC permissions not currently held/,
    verdict: "lasting",
    cause: "the chart gives rights that the account doesn't have.",
    remedy:
      "an account can give only rights that it has itself: give it those that the message lists, or the verb escalate on Roles and bind on RoleBindings. roles/container.admin has both, roles/container.developer neither (docs/permissions.md).",
    source: "kube-apiserver 403",
  },
  {
    id: "rbac-forbidden",
    title: 'cannot create resource "roles"',
    pattern: /cannot (create|update|patch|delete) resource "(cluster)?role(binding)?s"/,
    verdict: "lasting",
    cause: "the account may not change Roles and RoleBindings.",
    remedy:
      "give the account that right: roles/container.admin on the project, or an RBAC role in the cluster. roles/container.developer may only read Roles and RoleBindings (docs/permissions.md).",
    source: "kube-apiserver 403",
  },
  {
    id: "forbidden",
    title: "... is forbidden: User ... cannot ...",
    pattern: /forbidden/i,
    verdict: "lasting",
    cause: "the account lacks a right in RBAC and in IAM.",
    remedy:
      "give the account that right: roles/container.developer on the project, or an RBAC role in the cluster (docs/permissions.md).",
    source: "kube-apiserver 403",
  },
  {
    id: "api-server-unreachable",
    title: "connection refused, i/o timeout, no such host",
    pattern:
      /connection refused|was refused|no such host|i\/o timeout|Unable to connect|deadline exceeded|TLS handshake timeout|no route to host|network is unreachable|did not answer within/i,
    verdict: "lasting",
    cause: "there is no way from this runner to the API server.",
    remedy:
      "the cluster's API server can't be reached from this runner: check the endpoint, the cluster's authorized networks, and that the cluster is running.",
    source: "net/http",
  },
  {
    id: "api-server-certificate",
    title: "x509: certificate signed by unknown authority",
    pattern: /certificate signed by unknown authority|x509:/,
    verdict: "lasting",
    cause: "the API server, or something in its place, presents another certificate.",
    remedy:
      "the API server's certificate is not the one that the kubeconfig expects: check kubeconfig and context.",
    source: "net/http",
  },
  {
    id: "no-context",
    title: "context ... does not exist",
    pattern: /context .* does not exist|context was not found/i,
    verdict: "lasting",
    cause: "the kubeconfig has no such context.",
    remedy: "set context to one that the kubeconfig has.",
    source: "kubectl",
  },
  {
    id: "unknown-field",
    title: "field not declared in schema",
    pattern: /failed to create typed patch object|field not declared in schema|unknown field/,
    verdict: "lasting",
    cause: "the API server doesn't know a field.",
    remedy:
      "correct that field where it comes from: in backend_config, frontend_config or the manifests' file.",
    source: "kube-apiserver 400, 500",
  },
  {
    id: "immutable-field",
    title: "field is immutable",
    pattern: /field is immutable/,
    verdict: "lasting",
    cause: "the object exists with another value that can't change.",
    remedy:
      "that field can only be set when the object is created: delete the object and run again, or give this action's objects other names (ingress_name, backend_config_name, tls_secret).",
    source: "kube-apiserver 422",
  },
  {
    id: "uid-changed",
    title: "Precondition failed: UID in precondition",
    pattern: /UID in the precondition|Precondition failed: UID/,
    verdict: "lasting",
    cause: "another object of the same name has taken its place.",
    remedy:
      "somebody has deleted that object and created another of the same name meanwhile: check the new one, and run again.",
    source: "kube-apiserver 409",
  },
  {
    id: "no-gke-certificates",
    title: "does not know networking.gke.io/...",
    pattern: /does not know networking\.gke\.io\//,
    verdict: "lasting",
    cause: "the HTTP load balancing add-on is off.",
    remedy:
      "GKE's certificates and FrontendConfigs come with its HTTP load balancing add-on: turn it on (gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED) and run again.",
    source: "kube-apiserver 404",
  },
  {
    id: "no-backend-config",
    title: "does not know cloud.google.com/v1",
    pattern: /does not know cloud\.google\.com\/v1/,
    verdict: "lasting",
    cause: "the HTTP load balancing add-on is off.",
    remedy:
      "the cluster has no BackendConfig: turn its HTTP load balancing add-on on (gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED) and run again.",
    source: "kube-apiserver 404",
  },
];

/** Returns the remedy for an error text of the API server, kubectl or Helm, if it is a known one. */
export function remedyOf(text: string): Pick<ErrorDetails, "fix" | "symptom"> {
  const found = symptomIn(text, REFUSALS);
  return found ? { fix: found.remedy, symptom: found.id } : {};
}
