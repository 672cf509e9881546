import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPair } from "../../../src/loadbalancer/certificate.ts";
import type { JobOptions, TestCluster } from "./cluster.ts";

/** What tests read of the control API's state. */
interface CertificateState {
  sslCertificates: string[];
  loadBalancers: { ingress: string; certificates: string[] }[];
}

/** Returns a Secret with a certificate. */
export function secretWith(namespace: string, name: string, pair: KeyPair, type = "kubernetes.io/tls") {
  const stringData = { "tls.crt": pair.certificate, "tls.key": pair.privateKey };
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, type, stringData };
}

/** Makes an object what somebody, known by the field manager, wants it to be. */
export async function applySecret(cluster: TestCluster, object: object, manager: string): Promise<void> {
  const flags = ["--server-side", "--force-conflicts", `--field-manager=${manager}`];
  await cluster.kubectlWith(JSON.stringify(object), "apply", ...flags, "-f", "-");
}

/** Returns what there is of certificates at Google. */
export async function googleState(cluster: TestCluster): Promise<CertificateState> {
  return JSON.parse(JSON.stringify(await cluster.control("GET", "state")));
}

/** Returns the names of the certificates that a namespace's load balancer has, in their order. */
export async function certificatesAtGoogle(cluster: TestCluster, namespace: string): Promise<string[]> {
  const { loadBalancers } = await googleState(cluster);
  return loadBalancers
    .filter(({ ingress }) => ingress.startsWith(`${namespace}/`))
    .flatMap(({ certificates }) => certificates);
}

/** Returns options of a job that trusts this authority too, beside those that are public. */
export async function trusting({ gke }: TestCluster, authority: KeyPair): Promise<JobOptions> {
  const publicAuthority = await readFile(gke.env.NODE_EXTRA_CA_CERTS ?? "", "utf8");
  const file = join(gke.directory, "trusted.pem");
  await writeFile(file, `${publicAuthority}\n${authority.certificate}`);
  return { environment: { NODE_EXTRA_CA_CERTS: file } };
}
