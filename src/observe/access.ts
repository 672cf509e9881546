import { which } from "@actions/io";
import { allOf } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import { info, warning } from "../base/log.ts";
import type { Program } from "../base/process.ts";
import { withProgress } from "../base/progress.ts";
import type { Cluster } from "../gke/cluster.ts";
import { type Connection, connectToCluster } from "../gke/connect.ts";
import { googleCredentials } from "../gke/credentials.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import { googleProject } from "../gke/google-project.ts";
import { givenKubeconfig, type Kubeconfig } from "../gke/kubeconfig.ts";
import { accountOf, inClusterKubeconfig, type PodIdentity } from "../gke/pod-identity.ts";
import { unreachableCluster } from "../gke/unreachable-cluster.ts";
import { refuseOtherDriver } from "../helm/driver.ts";
import type { Helm } from "../helm/upgrade.ts";
import { longestRun } from "../inputs/longest-run.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { provideHelm } from "../tools/helm.ts";
import { provideKubectl } from "../tools/kubectl.ts";
import { openApi } from "./open-api.ts";

type AccessSettings = Pick<
  Settings,
  "cluster" | "google" | "postRenderer" | "kubectlVersion" | "kubectlMirror" | "helmVersion" | "helmMirror"
> &
  Parameters<typeof longestRun>[0];

/** Access to the cluster and to Google. */
export interface Access {
  api: ApiServer;
  /**
   * Returns Helm. A run that leaves the release as it is doesn't ask for it.
   *
   * @throws ActionError when there is none that this action can use
   */
  helm(): Promise<Helm>;
  /** The cluster as Google describes it; undefined when none of its inputs names it. */
  cluster: Cluster | undefined;
  /**
   * Returns the load balancer's Google Cloud project.
   *
   * @throws ActionError when there are no credentials for Google
   */
  project(): Promise<GoogleProject>;
  /** The file with the credentials of the inputs, which gcloud uses too. */
  credentialsFile: string | undefined;
  /** Ends the connection to the API server and the renewal of its token. */
  close(): Promise<void>;
}

/**
 * Finds or installs kubectl and connects to the cluster. Beside that, downloads Helm if the runner has none.
 *
 * @param whileConnecting called when kubectl has been started: this process has time until it answers
 * @throws ActionError when kubectl or Helm can't be downloaded, the cluster can't be reached, or the job's
 *   Helm keeps releases elsewhere than in the cluster
 */
export async function reachCluster(
  settings: AccessSettings,
  job: Job,
  whileConnecting: () => void = () => {},
): Promise<Access> {
  // Helm with HELM_DRIVER=sql doesn't even tell its version.
  refuseOtherDriver(job.environment);
  const { helmVersion, helmMirror, postRenderer } = settings;
  const provided = once(() => provideHelm({ version: helmVersion, mirror: helmMirror }));
  const downloadEarly = async () => {
    // The Helm on PATH nearly always suits `auto`: it is asked for its version when the run needs it.
    if (helmVersion !== "auto" || !(await which("helm"))) await provided();
  };
  const connecting = openConnection(settings, job, whileConnecting);
  try {
    const [, { kubeconfig, ...access }] = await withProgress(
      () => "waiting for kubectl, Helm and Google's answer about the cluster",
      () => allOf([downloadEarly(), connecting]),
    );
    const { env, leadingArgs } = contextOf(kubeconfig, "--kube-context");
    const context = { env: { ...env, ...KUBECONFIG_ONLY }, leadingArgs };
    return { ...access, helm: async () => ({ ...(await provided()), postRenderer, ...context }) };
  } catch (error) {
    await connecting.then(
      ({ close }) => close(),
      () => {},
    );
    throw error;
  }
}

/** Connects to the API server and makes sure that it answers. */
async function openConnection(
  settings: AccessSettings,
  job: Job,
  whileConnecting: () => void,
): Promise<Omit<Access, "helm"> & Pick<ClusterConnection, "kubeconfig">> {
  const { kubectlVersion, kubectlMirror } = settings;
  const connecting = connect(settings, job);
  const clusterVersion = async () => (await connecting).cluster?.version;
  const choosing = provideKubectl({ version: kubectlVersion, mirror: kubectlMirror, clusterVersion });
  const opening = connecting.then(({ kubeconfig }) =>
    openApi(choosing, contextOf(kubeconfig, "--context"), job.directory, whileConnecting),
  );
  const [{ stop, ...connection }, , api] = await allOf([connecting, choosing, opening]);
  const close = async () => {
    stop();
    await api.close();
  };
  try {
    // The first request: the API server closes a connection on which it refuses several requests at once.
    const version = await api.version();
    if (version) info(`The API server answers: Kubernetes ${version}.`);
  } catch (error) {
    await close();
    const { cluster } = connection;
    throw (cluster && unreachableCluster(cluster, messageOf(error))) ?? error;
  }
  return { api, ...connection, close };
}

interface ClusterConnection extends Pick<Access, "cluster" | "project" | "credentialsFile"> {
  kubeconfig: Kubeconfig;
  stop(): void;
}

/** Makes a kubeconfig for the cluster. */
async function connect(settings: AccessSettings, job: Job): Promise<ClusterConnection> {
  const { cluster, google } = settings;
  const { directory, environment } = job;
  if (cluster.kind !== "gke") {
    const kubeconfig = await (cluster.kind === "kubeconfig"
      ? givenKubeconfig(cluster.kubeconfig, cluster.context, directory, environment)
      : ownCluster(cluster.identity, directory));
    checkEnd(kubeconfig, longestRun(settings));
    const project = once(async () =>
      googleProject(await googleCredentials(google.credentials, environment), google.projectId, job),
    );
    return { kubeconfig, cluster: undefined, credentialsFile: undefined, project, stop: () => {} };
  }
  const connection = await connectToCluster(
    { ...cluster, projectId: google.projectId },
    google.credentials,
    directory,
    environment,
    warning,
  );
  reportCluster(connection);
  const { projectId } = connection.cluster;
  return {
    ...connection,
    project: once(async () => googleProject(connection.credentials, projectId, job, connection.token)),
  };
}

function reportCluster({ cluster, kubeconfig }: Pick<Connection, "cluster" | "kubeconfig">): void {
  const { server, endpoint, reason, version } = cluster;
  info(`Cluster ${kubeconfig.context} (Kubernetes ${version}) at ${server}.`);
  info(`Its ${endpoint} endpoint is used because ${reason}.`);
}

/**
 * Warns when a kubeconfig's credentials may end before the run does: nothing renews them.
 *
 * @param longest milliseconds that the run may take
 * @throws ActionError when they have ended
 */
function checkEnd({ context, end }: Kubeconfig, longest: number): void {
  if (end === undefined) return;
  const at = new Date(end).toISOString();
  const fix =
    "give a kubeconfig with a new token, or one whose user has exec or tokenFile, which renew it. cluster_name instead of kubeconfig lets this action renew its own.";
  const left = end - Date.now();
  if (left <= 0) {
    throw new ActionError(`The credentials of the kubeconfig's context "${context}" ended at ${at}.`, {
      fix,
    });
  }
  if (left < longest) {
    warning(
      `The credentials of the kubeconfig's context "${context}" end at ${at}, in ${formatDuration(left)}, and nothing renews them. With its limits this run may take ${formatDuration(longest)}. What to do: ${fix}`,
    );
  }
}

/** Says which cluster and account are used: no input names them. */
async function ownCluster(identity: PodIdentity, directory: string): Promise<Kubeconfig> {
  const account = (await accountOf(identity)) ?? "the pod's ServiceAccount";
  info(`No input names a cluster: the one of this runner's pod is used, ${identity.server}, as ${account}.`);
  return await inClusterKubeconfig(identity, directory);
}

/** Makes a value once, so that all requests to Google share a token. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/**
 * Makes Helm follow its kubeconfig. Helm prefers these variables of the job (helm pkg/cli/environment.go),
 * which kubectl doesn't know: the two would work on different clusters.
 */
const KUBECONFIG_ONLY = {
  HELM_KUBEAPISERVER: "",
  HELM_KUBETOKEN: "",
  HELM_KUBECAFILE: "",
  HELM_KUBEASUSER: "",
  HELM_KUBEASGROUPS: "",
  HELM_KUBETLS_SERVER_NAME: "",
  HELM_KUBEINSECURE_SKIP_TLS_VERIFY: "false",
};

function contextOf(kubeconfig: Kubeconfig, flag: string): Required<Pick<Program, "env" | "leadingArgs">> {
  return { env: { KUBECONFIG: kubeconfig.path }, leadingArgs: [`${flag}=${kubeconfig.context}`] };
}
