import { DEPLOYER } from "./tokens.ts";

const ZONE = "us-central1-a";
const NODES = ["gke-my-cluster-default-pool-1", "gke-my-cluster-default-pool-2"];

export const NODE_POOL = "cloud.google.com/gke-nodepool";

/** An object to create. */
export interface Creation {
  /** API path of the collection, e.g. `/api/v1/nodes`. */
  collection: string;
  object: object;
}

/** The objects of a new cluster. RBAC grants here what an authorization webhook for IAM grants on GKE. */
export const INITIAL_OBJECTS: readonly Creation[] = [
  ...NODES.map((name) => ({ collection: "/api/v1/nodes", object: newNode(name, "default-pool") })),
  {
    collection: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    object: {
      metadata: { name: "deployer" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: DEPLOYER }],
    },
  },
];

/** Returns the Node that KWOK simulates. */
export function newNode(name: string, pool: string) {
  const resources = { cpu: "64", memory: "256Gi", "ephemeral-storage": "1Ti", pods: "500" };
  return {
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": ZONE.slice(0, -2),
        "topology.kubernetes.io/zone": ZONE,
        "node.kubernetes.io/instance-type": "e2-standard-64",
        [NODE_POOL]: pool,
      },
    },
    spec: { providerID: `gce://my-project/${ZONE}/${name}` },
    status: { allocatable: resources, capacity: resources },
  };
}
