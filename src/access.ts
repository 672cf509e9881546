import { info, warning } from "@actions/core";
import { allOf } from "./async.ts";
import { messageOf } from "./errors.ts";
import type { Cluster } from "./gke/cluster.ts";
import { connectToCluster } from "./gke/connect.ts";
import { givenKubeconfig, type Kubeconfig } from "./gke/kubeconfig.ts";
import { unreachable } from "./gke/unreachable.ts";
import type { Helm } from "./helm/upgrade.ts";
import type { Settings } from "./inputs.ts";
import { ApiServer } from "./kubernetes/api.ts";
import type { Program } from "./process.ts";
import { withProgress } from "./report/progress.ts";
import type { Session } from "./session.ts";
import { provideHelm } from "./tools/helm.ts";
import { provideKubectl } from "./tools/kubectl.ts";

/** The way into the cluster, with the programs that use it. */
export interface Access {
  api: ApiServer;
  helm: Helm;
  /** Ends the way to the API server and the renewal of its token. */
  close(): Promise<void>;
}

/** Finds or installs the tools and finds the way into the cluster, side by side. */
export async function reachCluster(settings: Settings, session: Session): Promise<Access> {
  const [helm, { kubeconfig, kubectl, cluster, stop }] = await withProgress(
    () => "waiting for kubectl, Helm and Google's answer about the cluster",
    () =>
      allOf([
        provideHelm({ version: settings.helmVersion, mirror: settings.helmMirror }),
        findCluster(settings, session),
      ]),
  );
  const api = await ApiServer.open({ ...kubectl, ...pointedAt(kubeconfig, "--context") }, session.directory);
  const close = async () => {
    stop();
    await api.close();
  };
  try {
    // Asked before everything else: the API server ends a connection on which several requests are refused at once.
    const version = await api.version();
    if (version) info(`The API server answers: Kubernetes ${version}.`);
  } catch (error) {
    await close();
    throw (cluster && unreachable(cluster, messageOf(error))) ?? error;
  }
  return { api, helm: { ...helm, ...pointedAt(kubeconfig, "--kube-context") }, close };
}

/** Returns a kubeconfig for the cluster and a kubectl that suits it. */
async function findCluster(
  { cluster, kubectlVersion: version, kubectlMirror: mirror }: Settings,
  session: Session,
): Promise<{ kubeconfig: Kubeconfig; kubectl: Program; cluster: Cluster | undefined; stop(): void }> {
  const { directory, environment } = session;
  if (cluster.kind === "kubeconfig") {
    const [kubeconfig, kubectl] = await allOf([
      givenKubeconfig(cluster.kubeconfig, cluster.context, directory, environment),
      provideKubectl({ version, mirror }),
    ]);
    return { kubeconfig, kubectl, cluster: undefined, stop: () => {} };
  }
  const connection = await connectToCluster(cluster, cluster.credentials, directory, environment, warning);
  session.credentialsFile = connection.credentialsFile;
  const { server, endpoint, reason, version: clusterVersion } = connection.cluster;
  info(`Cluster ${connection.kubeconfig.context} (Kubernetes ${clusterVersion}) at ${server}.`);
  info(`Its endpoint ${endpoint} is used because ${reason}.`);
  return { ...connection, kubectl: await provideKubectl({ version, mirror, clusterVersion }) };
}

function pointedAt(kubeconfig: Kubeconfig, flag: string): Pick<Program, "env" | "leadingArgs"> {
  return { env: { KUBECONFIG: kubeconfig.path }, leadingArgs: [`${flag}=${kubeconfig.context}`] };
}
