import type { Symptom } from "../base/symptom.ts";

function lasting(
  id: string,
  source: string,
  { title, cause, remedy }: Pick<Symptom, "title" | "cause" | "remedy">,
): Symptom {
  return { id, title, cause, remedy, verdict: "lasting", source };
}

/** Why a load balancer finds Milvus unhealthy, or can't talk to it, in the order in which to look. */
export const BACKEND_SYMPTOMS = {
  noHttps: lasting(
    "no-https-frontend",
    "the Ingress's annotation ingress.kubernetes.io/https-forwarding-rule",
    {
      title: "no HTTPS frontend yet",
      cause: "Google's controller hasn't made the HTTPS forwarding rule.",
      remedy:
        "fix what the controller's last Warning names. If it only needs more time, raise backends_timeout.",
    },
  ),
  formerCertificate: lasting(
    "former-certificate",
    "the Ingress's annotation ingress.kubernetes.io/ssl-cert",
    {
      title: "the HTTPS frontend still has another certificate",
      cause: "Google's controller hasn't attached the new certificate yet.",
      remedy:
        "fix what the controller's last Warning names. If it only needs more time, raise backends_timeout.",
    },
  ),
  noPods: lasting("no-pods", "the pods", {
    title: "no pod has the labels that Service ... selects",
    cause: "the Service selects pods that aren't there.",
    remedy:
      "check that the release runs Milvus's proxy (or standalone), and who changes the Service's selector.",
  }),
  unreadyPods: lasting("pods-not-ready", "the pods", {
    title: "pods aren't ready: ...",
    cause: "Milvus itself isn't ready, so its health check fails too.",
    remedy: "mend what the pods complain of (`kubectl describe pod`, `kubectl logs`), then run again.",
  }),
  noBackendConfig: lasting("backend-config-unused", "the Service's annotations", {
    title: "the Service's annotation cloud.google.com/backend-config doesn't name BackendConfig ...",
    cause: "Google then checks the path / on the gRPC port, and Milvus never answers that.",
    remedy:
      "find out what changes the Service's annotations (another deployment of the release?) and run again.",
  }),
  otherHealthCheck: lasting("health-check", "the BackendConfig", {
    title: "BackendConfig ... asks for ... on port ...",
    cause: "Milvus answers health checks by HTTP only, at /healthz on port 9091.",
    remedy: "take type, port and requestPath out of healthCheck in backend_config, and run again.",
  }),
  portName: lasting("app-protocols-port", "the Service's annotations", {
    title: "the Service's annotation cloud.google.com/app-protocols names ...",
    cause: "its keys are names of ports, not numbers: Google speaks HTTP/1.1 to any other port.",
    remedy:
      "find out what changes the annotation (service.annotations of the values, another deployment of the release?): its key must be the port's name, with HTTP2. Then run again.",
  }),
  networkPolicy: lasting("network-policy", "the NetworkPolicies", {
    title: "NetworkPolicy ... keeps Google's health checks out of the pods",
    cause: "a NetworkPolicy selects the pods and doesn't admit Google's health checks.",
    remedy: "admit 130.211.0.0/22 and 35.191.0.0/16 to the pods' ports 9091 and 19530.",
  }),
  mesh: lasting("mesh-sidecar", "the pods", {
    title: "the pods have a mesh's sidecar (istio-proxy)",
    cause: "the sidecar may refuse what comes from outside of the mesh.",
    remedy:
      'leave the ports out with the pod annotation traffic.sidecar.istio.io/excludeInboundPorts: "9091,19530", or the pods with sidecar.istio.io/inject: "false".',
  }),
  noEndpoints: lasting("no-endpoints", "the Compute Engine API, backendServices.getHealth", {
    title: "Google's network endpoint groups have no pod",
    cause: "Google's controller hasn't attached the pods to the load balancer.",
    remedy: "see the Service's Warnings (`kubectl describe service`), and run again.",
  }),
  sharedVpc: lasting("shared-vpc-firewall", "pkg/firewalls, event XPN", {
    title: "Firewall change required by security admin: ...",
    cause: "the network is of another project (Shared VPC), and GKE may not make the firewall rule there.",
    remedy: "have an administrator of that network run the command that the event shows.",
  }),
  unhealthy: lasting("unhealthy-backends", "the Ingress's annotation ingress.kubernetes.io/backends", {
    title: "... has no healthy backend after ...",
    cause: "pods don't answer `/healthz` on 9091, or a firewall is in the way.",
    remedy: "admit 130.211.0.0/22 and 35.191.0.0/16.",
  }),
} as const satisfies Record<string, Symptom>;
