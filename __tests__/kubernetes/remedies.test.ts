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
  [
    'secrets is forbidden: User "u" cannot list resource "secrets" in API group ""',
    "roles/container.developer",
  ],
  ["Forbidden policy", "roles/container.developer"],
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
])("%s", (text, fix) => {
  expect(remedyOf(text)).toEqual(fix === undefined ? {} : { fix: expect.stringContaining(fix) });
});
