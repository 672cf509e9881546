import { expect, test } from "vitest";
import { remedyOf } from "../../src/kubernetes/remedies.ts";

test.each<[text: string, fix: string | undefined]>([
  ["error: You must be logged in to the server (Unauthorized)", "the cluster refuses the credentials"],
  [
    "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
    "the cluster refuses the credentials",
  ],
  [
    "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found",
    "credential plugin must be installed",
  ],
  [
    "getting credentials: exec: executable gke-gcloud-auth-plugin failed with exit code 1",
    "credential plugin must be installed",
  ],
  ["error: EOF", "has no credentials for its context"],
  ["Unauthorized", "the cluster refuses the credentials"],
  ["some warning\nhelm was killed by SIGKILL.", "if memory ran out, give the runner more"],
  [
    'secrets is forbidden: User "u" cannot list resource "secrets" in API group ""',
    "roles/container.developer",
  ],
  ["Forbidden policy", "roles/container.developer"],
  [
    'roles.rbac.authorization.k8s.io "r" is forbidden: User "u" cannot patch resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "n"',
    "roles/container.admin",
  ],
  [
    'roles.rbac.authorization.k8s.io "r" is forbidden: user "u" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["configmaps"], Verbs:["watch"]}',
    "the verb escalate on Roles",
  ],
  [
    'Error: UPGRADE FAILED: cannot patch "my-release-etcd" with kind StatefulSet: StatefulSet.apps "my-release-etcd" is invalid: spec: Forbidden: updates to statefulset spec for fields other than \'replicas\' are forbidden',
    "--cascade=orphan",
  ],
  [
    'Error: UPGRADE FAILED: create: failed to create: Secret "sh.helm.release.v1.my-release.v2" is invalid: data: Too long: may not be more than 1048576 bytes',
    "move large texts out of values",
  ],
  [
    'PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests',
    "that can only be set when the object is created",
  ],
  [
    "Service \"s\" is invalid: metadata.annotations[a]: Forbidden: may only be used when `type` is 'LoadBalancer'",
    "the API server does not accept this value",
  ],
  [
    'Service "s" is invalid: spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set',
    "the API server does not accept this value",
  ],
  [
    'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post "https://v.example.svc:443/": context deadline exceeded',
    "an admission webhook of the cluster doesn't answer",
  ],
  ["etcdserver: request timed out", "run again"],
  [
    'Forbidden secrets "s" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=9, limited: secrets=9',
    "raise that ResourceQuota",
  ],
  [
    'Forbidden secrets "s" is forbidden: unable to create new content in namespace n because it is being terminated',
    "the namespace is being deleted",
  ],
  [
    'Forbidden admission webhook "validation.gatekeeper.sh" denied the request: no labels',
    "a policy of the cluster",
  ],
  [
    "Unable to connect to the server: dial tcp 10.0.0.2:443: i/o timeout",
    "can't be reached from this runner",
  ],
  ["The connection to the server 127.0.0.1:1 was refused", "can't be reached from this runner"],
  ["dial tcp 127.0.0.1:1: connect: connection refused", "can't be reached from this runner"],
  ["dial tcp: lookup c.example.com: no such host", "can't be reached from this runner"],
  ["dial tcp 10.0.0.2:443: connect: no route to host", "can't be reached from this runner"],
  ["dial tcp 10.0.0.2:443: connect: network is unreachable", "can't be reached from this runner"],
  ["net/http: TLS handshake timeout", "can't be reached from this runner"],
  ["context deadline exceeded", "can't be reached from this runner"],
  ["it did not answer within 30s", "can't be reached from this runner"],
  [
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "not the one that the kubeconfig expects",
  ],
  [
    "tls: failed to verify certificate: x509: certificate is valid for a, not b",
    "not the one that the kubeconfig expects",
  ],
  ['error: context "c" does not exist', "set context to one that the kubeconfig has"],
  ["error: context was not found for specified context: c", "set context to one that the kubeconfig has"],
  [
    "the API server does not know cloud.google.com/v1, the API of BackendConfig.",
    "HttpLoadBalancing=ENABLED",
  ],
  [
    "the API server does not know networking.gke.io/v1, the API of ManagedCertificate.",
    "HttpLoadBalancing=ENABLED",
  ],
  [
    'Invalid Secret "s" is invalid: type: Invalid value: "kubernetes.io/tls": field is immutable',
    "delete the object and run again",
  ],
  [
    'Conflict Operation cannot be fulfilled on Secret "s": the UID in the precondition (a) does not match the UID in record (b).',
    "somebody has deleted that object",
  ],
  [
    'Conflict Operation cannot be fulfilled on ingresses "i": Precondition failed: UID in precondition: a, UID in object meta: b',
    "somebody has deleted that object",
  ],
  ["error: something else", undefined],
  ["", undefined],
])("remedyOf: %s", (text, fix) => {
  const expected = { fix: expect.stringContaining(fix ?? ""), symptom: expect.any(String) };
  expect(remedyOf(text)).toEqual(fix === undefined ? {} : expected);
});
