import { join } from "node:path";
import type { BinaryName } from "../binaries/pins.ts";

export const SERVERS = ["etcd", "kube-apiserver"] as const satisfies readonly BinaryName[];
export type Server = (typeof SERVERS)[number];

/** Started once the API server is ready: kube-controller-manager waits 10 s for it, KWOK 31 s. */
export const CLIENTS = [
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
] as const satisfies readonly BinaryName[];

export const PROGRAMS = [...SERVERS, ...CLIENTS] as const;
export type ProgramName = (typeof PROGRAMS)[number];

export const PORTS = ["etcd-client", "etcd-peer", "kube-apiserver", "kubelet"] as const;
export type Ports = Record<(typeof PORTS)[number], number>;

export function filesIn(directory: string) {
  const file = (name: string) => join(directory, name);
  return {
    kubeconfig: file("kubeconfig"),
    caCertificate: file("ca.crt"),
    servingCertificate: file("apiserver.crt"),
    servingKey: file("apiserver.key"),
    serviceAccountKey: file("service-account.key"),
    tokens: file("tokens.csv"),
    tokenReview: file("token-review.kubeconfig"),
    auditPolicy: file("audit-policy.json"),
    /** One JSON object per request. */
    auditLog: file("audit.log"),
    etcdData: file("etcd"),
    containerLog: file("container.log"),
    previousContainerLog: file("container-previous.log"),
  };
}

/** Builds the arguments of each program. All listen on 127.0.0.1 only. */
export function argumentsOf(directory: string, ports: Ports): Record<ProgramName, string[]> {
  const files = filesIn(directory);
  const etcd = `http://127.0.0.1:${ports["etcd-client"]}`;
  const peer = `http://127.0.0.1:${ports["etcd-peer"]}`;
  return {
    etcd: [
      "--name=local-gke",
      `--data-dir=${files.etcdData}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=local-gke=${peer}`,
      // The data need not survive a power failure.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
    "kube-apiserver": [
      "--bind-address=127.0.0.1",
      // Without it, the API server looks up the machine's own address, which fails without a network.
      "--advertise-address=127.0.0.1",
      `--secure-port=${ports["kube-apiserver"]}`,
      `--etcd-servers=${etcd}`,
      `--tls-cert-file=${files.servingCertificate}`,
      `--tls-private-key-file=${files.servingKey}`,
      `--cert-dir=${directory}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${files.serviceAccountKey}`,
      `--service-account-signing-key-file=${files.serviceAccountKey}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=RBAC",
      // Nobody here asks so much that requests would have to queue, and to be ready for it takes a tenth of the
      // API server's CPU time.
      "--enable-priority-and-fairness=false",
      `--token-auth-file=${files.tokens}`,
      `--authentication-token-webhook-config-file=${files.tokenReview}`,
      "--authentication-token-webhook-version=v1",
      // The API server still caches a successful review for 10 s.
      "--authentication-token-webhook-cache-ttl=0s",
      `--audit-policy-file=${files.auditPolicy}`,
      `--audit-log-path=${files.auditLog}`,
      // Otherwise, pods would wait for a token that no kubelet mounts.
      "--disable-admission-plugins=ServiceAccount",
      // The Service `kubernetes` may not have a loopback address as its endpoint.
      "--endpoint-reconciler-type=none",
      // The host names of the nodes do not resolve. KWOK is the kubelet of all nodes.
      "--kubelet-preferred-address-types=InternalIP",
      "--allow-privileged=true",
    ],
    "kube-controller-manager": [
      `--kubeconfig=${files.kubeconfig}`,
      "--leader-elect=false",
      "--secure-port=0",
      // The node lifecycle controller stays on: it removes the not-ready taint from new nodes.
      // EndpointSlices have taken the place of Endpoints, which nothing here reads.
      "--controllers=*,-node-ipam-controller,-endpoints-controller,-endpointslice-mirroring-controller",
      `--service-account-private-key-file=${files.serviceAccountKey}`,
      `--root-ca-file=${files.caCertificate}`,
    ],
    "kube-scheduler": [`--kubeconfig=${files.kubeconfig}`, "--leader-elect=false", "--secure-port=0"],
    kwok: [
      `--kubeconfig=${files.kubeconfig}`,
      `--config=${join(import.meta.dirname, "kwok.yaml")}`,
      "--manage-all-nodes=true",
      "--node-ip=127.0.0.1",
      `--node-port=${ports.kubelet}`,
      `--server-address=127.0.0.1:${ports.kubelet}`,
      `--tls-cert-file=${files.servingCertificate}`,
      `--tls-private-key-file=${files.servingKey}`,
      "--node-lease-duration-seconds=40",
      "--cidr=10.8.0.0/16",
    ],
  };
}
