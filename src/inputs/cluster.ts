import type { EndpointChoice } from "../gke/cluster.ts";
import type { CredentialInputs } from "../gke/credential-source.ts";
import type { PodIdentity } from "../gke/pod-identity.ts";
import { type InputReader, isLabel, quote } from "./reader.ts";

/** The cluster, which Google or a kubeconfig describes. */
export type ClusterSettings =
  | {
      kind: "gke";
      location: string;
      name: string;
      endpoint: EndpointChoice;
      /** Undefined: the one that the cluster names. */
      fleetMembership: string | undefined;
    }
  | { kind: "kubeconfig"; kubeconfig: string | undefined; context: string | undefined }
  /** The one that this runner's own pod is in. */
  | { kind: "in-cluster"; identity: PodIdentity };

/** The Google Cloud project and the identity to use. */
export interface GoogleSettings {
  /** Undefined: the one that the credentials name. */
  projectId: string | undefined;
  /** The region or zone; undefined when only a kubeconfig is given. */
  location: string | undefined;
  credentials: CredentialInputs;
}

const PROVIDER = /^projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+$/;
/** The name that gcloud gives a cluster's context in a kubeconfig. */
const CONTEXT_NAME = /^gke_([^_]+)_([^_]+)_([^_]+)$/;
const CLUSTER_PATH = /^projects\/([^/]+)\/(?:locations|zones|regions)\/([^/]+)\/clusters\/([^/]+)$/;

/** @param identity the ServiceAccount of this runner's pod, which is used when no input names a cluster */
export function readCluster(
  { text, oneOf, mistakes }: InputReader,
  identity: PodIdentity | undefined,
): ClusterSettings {
  const endpoint = oneOf<EndpointChoice>("endpoint", ["auto", "public", "private", "dns", "connect_gateway"]);
  const kubeconfig = text("kubeconfig") || undefined;
  const context = text("context") || undefined;
  if (kubeconfig || context) return { kind: "kubeconfig", kubeconfig, context };

  const name = text("cluster_name");
  if (name === "" && identity) return { kind: "in-cluster", identity };

  const fleetMembership = text("fleet_membership") || undefined;
  if (fleetMembership && endpoint !== "connect_gateway") {
    mistakes.push("fleet_membership goes with endpoint: connect_gateway only");
  }
  const route = { endpoint, fleetMembership };
  const [, , location, cluster] = CLUSTER_PATH.exec(name) ?? [];
  if (location && cluster) return { kind: "gke", location, name: cluster, ...route };
  if (name === "") {
    mistakes.push("cluster_name is required: the GKE cluster's name (or set kubeconfig)");
  } else if (CONTEXT_NAME.test(name)) {
    mistakes.push(
      `cluster_name: ${quote(name)} is the name of a kubectl context: write ${name.replace(CONTEXT_NAME, "projects/$1/locations/$2/clusters/$3")}`,
    );
  } else if (!isLabel(name)) {
    mistakes.push(
      `cluster_name: ${quote(name)} is not a cluster's name nor projects/P/locations/L/clusters/C`,
    );
  }
  if (text("location") === "") {
    mistakes.push("location is required: the cluster's region or zone, e.g. us-central1");
  }
  return { kind: "gke", location: text("location"), name, ...route };
}

/** Reads the inputs about the Google Cloud project and the identity. */
export function readGoogle({ text, optional, refuse, mistakes }: InputReader): GoogleSettings {
  const [, project, location] = CLUSTER_PATH.exec(text("cluster_name")) ?? [];
  const credentialsJson = decoded(optional("credentials_json"));
  const workloadIdentityProvider = optional("workload_identity_provider");
  const serviceAccount = optional("service_account");
  if (workloadIdentityProvider && !PROVIDER.test(workloadIdentityProvider)) {
    refuse(
      "workload_identity_provider",
      "projects/<project number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>",
    );
  }
  if (workloadIdentityProvider && credentialsJson) {
    mistakes.push("credentials_json and workload_identity_provider are two identities: set one of them");
  }
  if (serviceAccount && !workloadIdentityProvider) {
    mistakes.push("service_account goes with workload_identity_provider only");
  }
  return {
    projectId: project ?? optional("project_id"),
    location: location ?? optional("location"),
    credentials: { credentialsJson, workloadIdentityProvider, serviceAccount },
  };
}

/** Returns the JSON of credentials that are stored in base64, as many do to keep them on one line. */
function decoded(text: string | undefined): string | undefined {
  if (text === undefined || !/^[\w+/=\s-]+$/.test(text)) return text;
  const json = Buffer.from(text, "base64").toString();
  return json.trimStart().startsWith("{") ? json : text;
}
