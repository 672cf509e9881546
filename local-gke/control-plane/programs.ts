import { join } from "node:path";
import type { BinaryName } from "../binaries/pins.ts";

/** What is started first. */
export const SERVERS = ["etcd", "kube-apiserver"] as const satisfies readonly BinaryName[];

/** What is started once the API server is ready: kube-controller-manager gives it up after 10 s, KWOK after 31 s. */
export const CLIENTS = [
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
] as const satisfies readonly BinaryName[];

/** The programs of a control plane, in the order in which they are named when several have died. */
export const PROGRAMS = [...SERVERS, ...CLIENTS] as const;
export type ProgramName = (typeof PROGRAMS)[number];

export const PORTS = ["etcd-client", "etcd-peer", "kube-apiserver", "kubelet"] as const;
export type Ports = Record<(typeof PORTS)[number], number>;

/** The files of a control plane, by what they are. */
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
    /** One JSON object per request: the benchmark counts them. */
    auditLog: file("audit.log"),
    etcdData: file("etcd"),
    containerLog: file("container.log"),
    previousContainerLog: file("container-previous.log"),
  };
}

/** Returns the arguments of each program. All listen on 127.0.0.1 only. */
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
      // Nothing here has to survive a power cut.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
    "kube-apiserver": [
      "--bind-address=127.0.0.1",
      // Else it looks for an address of the machine's own and fails where there is no network.
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
      `--token-auth-file=${files.tokens}`,
      `--authentication-token-webhook-config-file=${files.tokenReview}`,
      "--authentication-token-webhook-version=v1",
      // The API server itself still trusts a token for 10 s after it was last found good.
      "--authentication-token-webhook-cache-ttl=0s",
      `--audit-policy-file=${files.auditPolicy}`,
      `--audit-log-path=${files.auditLog}`,
      // Pods would wait for a token that no kubelet mounts.
      "--disable-admission-plugins=ServiceAccount",
      // An address of loopback would be refused as the endpoint of the Service `kubernetes`.
      "--endpoint-reconciler-type=none",
      // KWOK is the kubelet of all nodes; their host names do not resolve.
      "--kubelet-preferred-address-types=InternalIP",
      "--allow-privileged=true",
    ],
    "kube-controller-manager": [
      `--kubeconfig=${files.kubeconfig}`,
      "--leader-elect=false",
      "--secure-port=0",
      // The node lifecycle controller stays: it takes the not-ready taint off new nodes.
      "--controllers=*,-node-ipam-controller",
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
