import { dump } from "js-yaml";
import {
  CLEAR,
  FRONTEND_CONFIG,
  LOAD_BALANCER,
  MANAGED_CERTIFICATE,
  RELEASE,
  REMOVE,
  type Rights,
  rightsIn,
  TEARDOWN,
  type Verb,
} from "../src/kubernetes/rights.ts";

/** What Helm may have to do with an object of a release, in an upgrade or in a rollback. */
const HELM_VERBS: Verb[] = ["get", "create", "patch", "delete"];

/** What Helm also does with a Job that is a hook. */
const HOOK_VERBS: Verb[] = ["list", "watch"];

/** What Milvus's chart renders with its usual dependencies. */
const CHART: readonly Rights[] = [
  "configmaps",
  "deployments.apps",
  "horizontalpodautoscalers.autoscaling",
  "jobs.batch",
  "persistentvolumeclaims",
  "poddisruptionbudgets.policy",
  "secrets",
  "serviceaccounts",
  "services",
  "statefulsets.apps",
].map((resource) => [resource, ...HELM_VERBS, ...(resource === "jobs.batch" ? HOOK_VERBS : [])]);

const RBAC: readonly Rights[] = [
  ["roles.rbac.authorization.k8s.io", ...HELM_VERBS],
  ["rolebindings.rbac.authorization.k8s.io", ...HELM_VERBS],
];

/** What a run goes on without. */
const OPTIONAL: readonly (readonly [what: string, rights: Rights])[] = [
  ["the last log lines of a pod that fails (not required)", ["pods/log", "get"]],
  [
    "a NetworkPolicy that keeps backends unhealthy (not required)",
    ["networkpolicies.networking.k8s.io", "list"],
  ],
];

/** The same, at Google: getHealth of a backend service needs the right to get it (Compute Engine API). */
const OPTIONAL_AT_GOOGLE = ["compute.backendServices.get", "compute.regionBackendServices.get"];

const OPTIONAL_RIGHTS = OPTIONAL.map(([, rights]) => rights);

/** How Google's IAM names a resource, where it isn't the plural itself in camel case. */
const IAM_NAMES: Record<string, string> = {
  backendconfigs: "backendConfigs",
  configmaps: "configMaps",
  frontendconfigs: "frontendConfigs",
  horizontalpodautoscalers: "horizontalPodAutoscalers",
  managedcertificates: "managedCertificates",
  networkpolicies: "networkPolicies",
  persistentvolumeclaims: "persistentVolumeClaims",
  poddisruptionbudgets: "podDisruptionBudgets",
  replicasets: "replicaSets",
  rolebindings: "roleBindings",
  serviceaccounts: "serviceAccounts",
  statefulsets: "statefulSets",
};

/** IAM's verbs for Kubernetes's others. */
const IAM_VERBS: Partial<Record<Verb, string>> = { watch: "list", patch: "update" };

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** Returns the RBAC rules for some tables: resources of one group with the same verbs share one. */
function rulesFor(...tables: readonly (readonly Rights[])[]): Rule[] {
  const byResource = Map.groupBy(rightsIn("", ...tables), ({ resource }) => resource);
  const single = [...byResource]
    .map(([resource, rights]) => {
      const [plural = "", ...group] = resource.split(".");
      return { plural, group: group.join("."), verbs: rights.map(({ verb }) => verb).sort() };
    })
    .sort((one, other) => one.group.localeCompare(other.group) || one.plural.localeCompare(other.plural));
  return [...Map.groupBy(single, ({ group, verbs }) => `${group} ${verbs}`).values()].map((alike) => ({
    apiGroups: [alike[0]?.group ?? ""],
    resources: alike.map(({ plural }) => plural),
    verbs: alike[0]?.verbs ?? [],
  }));
}

function role(name: string, ...tables: readonly (readonly Rights[])[]): string {
  return yaml({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name, namespace: "milvus" },
    rules: rulesFor(...tables),
  });
}

function yaml(value: object): string {
  return `\`\`\`yaml\n${dump(value, { flowLevel: 3, lineWidth: 110 })}\`\`\``;
}

/** Returns a table with what each rule is for. */
function table(rows: readonly (readonly [what: string, rights: readonly Rights[]])[]): string {
  const lines = rows.flatMap(([what, rights]) =>
    rights.map(([resource, ...verbs]) => `| ${what} | \`${resource}\` | ${verbs.join(", ")} |`),
  );
  return ["| for | resource | verbs |", "| --- | --- | --- |", ...lines].join("\n");
}

/** What every first deployment could have to take back. */
const TAKE_BACK = [CLEAR.Ingress, CLEAR.BackendConfig, CLEAR.Secret];

function iamPermissions(...tables: readonly (readonly Rights[])[]): string[] {
  const permissions = rightsIn("", ...tables).map(({ resource, verb }) => {
    const [plural = ""] = resource.split(".");
    if (plural === "pods/log") return "container.pods.getLogs";
    return `container.${IAM_NAMES[plural] ?? plural}.${IAM_VERBS[verb] ?? verb}`;
  });
  return [...new Set(["container.clusters.get", ...OPTIONAL_AT_GOOGLE, ...permissions])].sort();
}

/** Returns docs/permissions.md, made from the tables that a run is checked with. */
export function permissionsPage(): string {
  const iamRole = yaml({
    title: "Milvus deployer",
    stage: "GA",
    includedPermissions: iamPermissions(
      CHART,
      RELEASE,
      LOAD_BALANCER,
      MANAGED_CERTIFICATE,
      FRONTEND_CONFIG,
      TEARDOWN,
      Object.values(CLEAR),
      Object.values(REMOVE),
      OPTIONAL_RIGHTS,
    ),
  });
  return `<!-- Made by \`npm run docs\` from src/kubernetes/rights.ts: change it there. -->
# Permissions

Google's role \`roles/container.developer\` on the cluster's project holds all that this page requires, with one exception: it may
only read Roles and RoleBindings. A chart that makes them, as Milvus's does with Pulsar, needs
[more](#roles-in-the-chart).

Before it changes anything, a run asks the API server for every right that this run needs: one review for each kind and verb,
side by side. The error lists all that are missing, and names a role that has them.

\`mode: plan\` needs no more than get and list of the rights of a deployment. With all of them the API server checks every object
in a dry run.

## A Role for deploy

This Role and a RoleBinding in the release's namespace are enough for a release of Milvus's chart. The identity then only needs
\`container.clusters.get\` in IAM, or \`kubeconfig\`.

${role("milvus-deployer", CHART, RELEASE, LOAD_BALANCER, OPTIONAL_RIGHTS, TAKE_BACK)}

Google knows a service account by its e-mail address:

${yaml({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: "milvus-deployer", namespace: "milvus" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "milvus-deployer" },
  subjects: [
    {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "User",
      name: "deployer@my-project.iam.gserviceaccount.com",
    },
  ],
})}

## What they are for

${table([
  ["the release", RELEASE],
  ["the load balancer", LOAD_BALANCER],
  ["`certificate: google-managed`", MANAGED_CERTIFICATE],
  ["`frontend_config`", FRONTEND_CONFIG],
  ["taking back a first load balancer when the rollout fails", TAKE_BACK],
  [
    "another kind of certificate, or no `frontend_config`, than before",
    [CLEAR.ManagedCertificate, CLEAR.FrontendConfig],
  ],
  ["`mode: teardown`", TEARDOWN],
  ["teardown of what not every load balancer has", Object.values(REMOVE)],
  ...OPTIONAL.map(([what, rights]) => [what, [rights]] as const),
])}

The kinds of the release come on top, as the chart renders them:

| Helm | on each kind |
| --- | --- |
| reads every object | get |
| changes one | patch |
| changes a release that Helm 4 installed | patch on every kind, whether it changes or not |
| makes a new one, or removes one, or takes that back after a failure | create, delete |
| runs hooks, such as the Jobs of some dependencies | create, delete; of Jobs and Pods also list, watch |

The user's own objects in \`manifests\` need get, patch and create; a teardown needs delete.

## A Role for teardown

\`restore_layer4: true\` upgrades the release and needs the Role for deploy too.

${role("milvus-teardown", TEARDOWN)}

## Roles in the chart

With Pulsar, Milvus's chart makes Roles and RoleBindings. The account then needs:

${role("milvus-roles", RBAC)}

An account can give only rights that it has itself. To make such a Role, or to change one, the account also needs the rights
that it gives, in RBAC (those from IAM don't count), or the verbs \`escalate\` and \`bind\` on roles. In IAM
\`roles/container.admin\` has all of that. A dry run of each Role tells before anything is changed.

## A ClusterRole

None is needed for Milvus's chart. A chart or \`manifests\` with objects of the whole cluster (a Namespace, a
CustomResourceDefinition, a ClusterRole) need get, patch and create on these kinds in a ClusterRole. The UID
of namespace \`kube-system\` tells this cluster's load balancer from another's. With a static address the run reads it if
it may; with \`allowed_ranges\` it must:

${yaml({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: "milvus-deployer" },
  rules: [{ apiGroups: [""], resources: ["namespaces"], resourceNames: ["kube-system"], verbs: ["get"] }],
})}

## A custom role of IAM

It counts in every namespace of every cluster of the project. IAM has no watch (list) and no patch (update). The DNS-based
endpoint also needs \`container.clusters.connect\`. \`gcloud iam roles create milvusDeployer --project=PROJECT --file=role.yaml\`
makes it from this file:

${iamRole}

\`${OPTIONAL_AT_GOOGLE.join("` and `")}\` are not required. With them a run whose
backends stay unhealthy names the pods that Google's health check fails on. Without them it knows what the Ingress's annotation
says of all pods together. The first is for external load balancers, the second for internal ones. \`roles/compute.viewer\` has both.

Rights at Google for addresses, DNS and certificates: [addresses-and-dns.md](addresses-and-dns.md#roles).
`;
}
