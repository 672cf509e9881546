const REMEDIES: readonly [symptom: RegExp, remedy: string][] = [
  [
    /getting credentials: exec/,
    "the kubeconfig's credential plugin must be installed and signed in on this runner (for GKE gke-gcloud-auth-plugin); or set location and cluster_name instead of kubeconfig.",
  ],
  // kubectl prints this after it has asked for a user name in vain.
  [
    /^error: EOF$/,
    "the kubeconfig has no credentials for its context: give its user a token or a certificate.",
  ],
  [
    /Unauthorized|must be logged in|provide credentials/,
    "the cluster refuses the credentials: check the account and, with kubeconfig, that its token is still valid.",
  ],
  [
    /is invalid: data: Too long/,
    "a Secret holds at most 1 MiB, and Helm keeps a release in one, with its chart, values and objects: move large texts out of values and values_files into ConfigMaps or Secrets of their own.",
  ],
  // These are about the object, not about the account's rights, though they say Forbidden.
  [
    /Forbidden: (updates to \w+ spec|spec is immutable)|StatefulSet\S* .*Forbidden/i,
    "that can only be set when the object is created: restore the old value, or delete the object first (a StatefulSet with `kubectl delete statefulset NAME --cascade=orphan`, which leaves its pods and data) and run again.",
  ],
  [
    /is invalid: .*(Forbidden:|may not change once set)/s,
    "the API server does not accept this value: correct it where it is set (values, values_files), or undo by hand what was set outside Helm.",
  ],
  [
    /failed calling webhook/,
    "an admission webhook of the cluster doesn't answer: see that its pods run and, in a private cluster, that a firewall rule lets the control plane reach them on their port.",
  ],
  [
    /etcdserver: (request timed out|leader changed)/,
    "the cluster's control plane was busy or restarting: run again.",
  ],
  [
    /exceeded quota/,
    "raise that ResourceQuota of the namespace, or delete what is no longer needed there, and run again.",
  ],
  [
    /because it is being terminated/,
    "the namespace is being deleted: run again when it has been deleted and created again, or set namespace to another one.",
  ],
  [
    /admission webhook .* denied the request/,
    "a policy of the cluster refuses the object: change what it names, or ask its owners for an exception.",
  ],
  [
    /attempting to grant RBAC permissions not currently held/,
    "nobody may give rights that he doesn't have himself: give the account those that the message lists, or the verb escalate on Roles and bind on RoleBindings. roles/container.admin has both, roles/container.developer neither (docs/permissions.md).",
  ],
  [
    /cannot (create|update|patch|delete) resource "(cluster)?role(binding)?s"/,
    "give the account that right: roles/container.admin on the project, or an RBAC role in the cluster. roles/container.developer may only read Roles and RoleBindings (docs/permissions.md).",
  ],
  [
    /forbidden/i,
    "give the account that right: roles/container.developer on the project, or an RBAC role in the cluster (docs/permissions.md).",
  ],
  [
    /connection refused|was refused|no such host|i\/o timeout|Unable to connect|deadline exceeded|TLS handshake timeout|no route to host|network is unreachable|did not answer within/i,
    "the cluster's API server can't be reached from this runner: check the endpoint, the cluster's authorized networks, and that the cluster is running.",
  ],
  [
    /certificate signed by unknown authority|x509:/,
    "the API server's certificate is not the one that the kubeconfig expects: check kubeconfig and context.",
  ],
  [/context .* does not exist|context was not found/i, "set context to one that the kubeconfig has."],
  [
    /failed to create typed patch object|field not declared in schema|unknown field/,
    "correct that field where it comes from: in backend_config, frontend_config or the manifests' file.",
  ],
  [
    /field is immutable/,
    "that field can only be set when the object is created: delete the object and run again, or give this action's objects other names (ingress_name, backend_config_name, tls_secret).",
  ],
  [
    /UID in the precondition|Precondition failed: UID/,
    "somebody has deleted that object and created another of the same name meanwhile: check the new one, and run again.",
  ],
  [
    /does not know networking\.gke\.io\//,
    "GKE's certificates and FrontendConfigs come with its HTTP load balancing add-on: turn it on (gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED) and run again.",
  ],
  [
    /does not know cloud\.google\.com\/v1/,
    "the cluster has no BackendConfig: turn its HTTP load balancing add-on on (gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED) and run again.",
  ],
];

/** Returns the remedy for an error text of the API server, kubectl or Helm, if it is a known one. */
export function remedyOf(text: string): { fix?: string } {
  const found = REMEDIES.find(([symptom]) => symptom.test(text));
  return found ? { fix: found[1] } : {};
}
