import type { SslCertificate } from "../gke/compute-resources.ts";
import type { LocalChart } from "../helm/chart.ts";
import type { Release } from "../helm/release.ts";
import type { Deployer } from "../kubernetes/deployers.ts";
import type {
  Ingress,
  KubernetesObject,
  ManagedCertificate,
  Pod,
  Secret,
  Service,
} from "../kubernetes/objects.ts";
import type { ChosenCertificate } from "../loadbalancer/chosen-certificate.ts";
import type { Kept } from "../loadbalancer/kept.ts";
import type { ClientPolicy } from "./client-policy.ts";
import type { Zone } from "./dns-zone.ts";

/** The cluster before this run changes anything. */
export interface ClusterState {
  release: Release;
  /**
   * The version of Milvus that the release runs, from its image; of the chart's
   * Milvus where no image shows it.
   */
  milvusVersion: string;
  /** The Service through which Milvus is reached. */
  service: Service;
  /** True when the Service doesn't exist yet: it is described as Helm will make it. */
  isServiceToCome: boolean;
  /** The objects with the names that this action gives, and the certificates that the Ingress names. */
  objects: KubernetesObject[];
  ingress: Ingress | undefined;
  /** The address of the Ingress's load balancer, if it has one. */
  ingressAddress: string | undefined;
  /** Other hosts that the Ingress routes to Milvus. */
  formerHosts: string[];
  /** The namespace's other Ingresses, whose objects must stay. */
  otherIngresses: Ingress[];
  /** The Secret that tls_secret names, whoever made it. */
  tlsSecret: Secret | undefined;
  /** The Secret with the authority that signs this action's own certificate. */
  authoritySecret: Secret | undefined;
  managedCertificates: ManagedCertificate[];
  /** The live Deployments and StatefulSets of the release. */
  workloads: KubernetesObject[];
  /** The live pods of the release. */
  pods: Pod[];
  /** The tool that deploys the release, and would undo what this action changes in it. */
  deployer: Deployer | undefined;
  /** The chart of a release that isn't installed yet. */
  chart: LocalChart | undefined;
}

/** What belongs to the load balancer at Google, outside the cluster. */
export interface GoogleState {
  /** The static address; undefined while it isn't reserved, or when the load balancer gets any address. */
  reservedAddress: string | undefined;
  /** The pre-shared certificates; undefined when there are none, or Google can't be asked. */
  sslCertificates: SslCertificate[] | undefined;
  zone: Zone | undefined;
  /** What a run does to the host's record, and where that points now; undefined for nothing. */
  recordChange: { action: "create" | "change"; before: string | undefined } | undefined;
  /** The Cloud Armor policy of allowed_ranges, or what is left of a former one; undefined for none. */
  clientPolicy: ClientPolicy | undefined;
  /** Former hosts with a record that this action made. */
  formerRecords: string[];
}

/** Everything that a run reads before it changes anything. */
export interface Observed extends ClusterState {
  google: GoogleState;
  /** What stays of the load balancer's objects that somebody else made. */
  kept: Kept;
  /** The certificate that the load balancer will present. */
  certificate: ChosenCertificate;
}
