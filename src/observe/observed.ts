import type { YamlMap } from "../base/yaml.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";
import type { LocalChart } from "../helm/chart.ts";
import type { Release } from "../helm/release.ts";
import type {
  Ingress,
  KubernetesObject,
  ManagedCertificate,
  Secret,
  Service,
} from "../kubernetes/objects.ts";
import type { ChosenCertificate } from "../loadbalancer/choose-certificate.ts";
import type { Zone } from "./dns-zone.ts";

/** The cluster as it is before this run changes anything. */
export interface ClusterState {
  release: Release;
  /** The Service through which Milvus is reached. */
  service: Service;
  /** Whether it isn't there, and is as Helm will make it. */
  isServiceToCome: boolean;
  /** Those of the objects that this action makes which exist already, and the certificates that the Ingress names. */
  objects: KubernetesObject[];
  ingress: Ingress | undefined;
  /** The address of the Ingress's load balancer, if it has one. */
  ingressAddress: string | undefined;
  /** Other hosts for which the Ingress leads to Milvus. */
  formerHosts: string[];
  /** The namespace's other Ingresses: what they need is never in the way. */
  otherIngresses: Ingress[];
  /** The Secret of the name that is set, whoever has made it. */
  tlsSecret: Secret | undefined;
  managedCertificates: ManagedCertificate[];
  /** The chart of a release that is yet to be installed. */
  chart: LocalChart | undefined;
  /** What the deployed chart has by default; undefined where it doesn't matter or isn't known. */
  defaults: { values: YamlMap; subcharts: string[] } | undefined;
}

/** What Google has of the load balancer outside the cluster. */
export interface GoogleState {
  /** The static address; undefined while it isn't reserved, or when the load balancer gets any address. */
  reservedAddress: string | undefined;
  /** The certificates at Google that the load balancer is to present; undefined when Google can't be asked. */
  sslCertificates: SslCertificate[] | undefined;
  zone: Zone | undefined;
  /** What a run does to the host's record; undefined when that is nothing, or not known yet. */
  recordChange: "create" | "change" | undefined;
  /** Former hosts that have a record of this action. */
  formerRecords: string[];
}

/** Everything that a run looks at before it changes anything. */
export interface Observed extends ClusterState {
  google: GoogleState;
  /** The certificate that the load balancer is to present. */
  certificate: ChosenCertificate;
}
