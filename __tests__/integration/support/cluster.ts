import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { binaries } from "../../../local-gke/binaries/binaries.ts";
import type { Fault, NamespacedFault } from "../../../local-gke/cloud.ts";
import { killProcessesOf } from "../../../local-gke/control-plane/processes.ts";
import { filesIn } from "../../../local-gke/control-plane/programs.ts";
import type { State } from "../../../local-gke/control-plane/state.ts";
import { DEPLOYER } from "../../../local-gke/control-plane/tokens.ts";
import type { Timing } from "../../../local-gke/ingress/timing.ts";
import { installRelease, UNVALIDATED } from "../../../local-gke/release.ts";
import { messageOf } from "../../../src/base/errors.ts";
import { type Output, run } from "../../../src/base/process.ts";
import { borrow, giveBack } from "./borrowed.ts";
import { Job } from "./job.ts";

export const CHART = join(import.meta.dirname, "../../../local-gke/chart/milvus");
/** The host that every test's Ingress has: each has an address of its own. */
export const HOST = "my-release.milvus.io";
/** The kinds of objects that the action and Helm write. */
const KINDS = "services,configmaps,secrets,ingresses,backendconfigs,deployments";
/** Annotations that Google's controllers write. */
const OF_CONTROLLERS = /^(ingress\.kubernetes\.io\/|cloud\.google\.com\/neg-status$)/;

/** Lets Go programs collect garbage less often: a runner has more memory to spare than CPU time. */
const GOGC = "400";

const HELM_NAMES = ["helm3", "helm4"] as const;

export type HelmName = (typeof HELM_NAMES)[number];

/** The Helm of tests that name none: TEST_HELM, else Helm 4. */
export const HELM = helmNamed(process.env.TEST_HELM ?? "helm4");

/** An object of the API server's, as far as tests look into it. */
export interface ApiObject {
  metadata: {
    uid: string;
    annotations?: Record<string, string>;
    managedFields: { manager: string; fieldsV1: object }[];
  };
  type?: string;
  data?: Record<string, string>;
  spec?: object;
}

/** A set of records as the world sees it. */
export interface DnsRecord {
  name: string;
  type: string;
  ttl: number;
  values: string[];
}

interface SnapshotObject {
  kind: string;
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    labels?: object;
    annotations?: Record<string, string>;
  };
  spec?: object;
}

/** A request in the API server's audit log. */
interface AuditEvent {
  verb: string;
  objectRef?: { namespace?: string; resource: string; name?: string };
}

/** What tests read of the control API's state. */
interface CloudState {
  loadBalancers: { ingress: string }[];
  staticAddresses: { name: string }[];
  backends: Record<string, string>;
}

/** What a test file finds in a cluster, by which it knows what it has left there. */
interface Found {
  namespaces: string[];
  /** The names of {@link COMMON_KINDS}. */
  common: string;
}

/** What is in no namespace, or in `default`, and could disturb another test file. */
const COMMON_KINDS = [
  "nodes,customresourcedefinitions,clusterroles,clusterrolebindings,validatingwebhookconfigurations",
  "services,secrets,configmaps,deployments,ingresses",
].join(",");

/** A local GKE that this test file has to itself, and what tests do with it. */
export class TestCluster {
  readonly gke: State;
  readonly tools: Record<HelmName | "kubectl", string>;
  readonly #jobs: Job[] = [];
  #found: Found = { namespaces: [], common: "" };
  /** How far the audit log has been read, and what it said. Tests that run side by side read in turn. */
  readonly #audit: { bytes: number; writes: AuditEvent[]; read: Promise<void> } = {
    bytes: 0,
    writes: [],
    read: Promise.resolve(),
  };

  private constructor(gke: State, tools: Record<HelmName | "kubectl", string>) {
    this.gke = gke;
    this.tools = tools;
  }

  /** Borrows a cluster that is as good as new, but may have namespaces of other test files. */
  static async start(): Promise<TestCluster> {
    const tools = await binaries(["kubectl", "helm3", "helm4"]);
    const cluster = new TestCluster(await borrow(), tools);
    const [namespaces, common] = await Promise.all([cluster.#namespaces(), cluster.#common()]);
    cluster.#found = { namespaces, common };
    cluster.#audit.bytes = (await stat(filesIn(cluster.gke.directory).auditLog)).size;
    return cluster;
  }

  /** Ends whatever a test has left running, and gives the cluster back. */
  async stop(): Promise<void> {
    for (const { directory } of this.#jobs) {
      await killProcessesOf(directory);
      await rm(directory, { recursive: true, force: true });
    }
    const made = await this.#cleanUp().catch((error: unknown) => {
      console.warn(`The next test file gets another cluster: ${messageOf(error)}`);
      return undefined;
    });
    await giveBack(this.gke.name, made !== undefined, made ?? []);
  }

  /**
   * Brings the cluster back to how it was found, apart from namespaces, and returns those that are new.
   *
   * @throws Error saying what prevents it
   */
  async #cleanUp(): Promise<string[]> {
    await this.control("DELETE", "settings");
    const [namespaces, common] = await Promise.all([this.#namespaces(), this.#common()]);
    const differing = differenceOf(this.#found.common.split("\n"), common.split("\n"));
    if (differing.length > 0) throw new Error(`these came or went: ${differing.join(", ")}`);
    // GKE's own Services stay.
    const where = "metadata.namespace!=kube-system,metadata.namespace!=default";
    const kinds = "ingresses,managedcertificates,services";
    await this.kubectl("delete", kinds, "-A", `--field-selector=${where}`, "--timeout=30s");
    await this.control("DELETE", "resources");
    return namespaces.filter((name) => !this.#found.namespaces.includes(name));
  }

  async #namespaces(): Promise<string[]> {
    return (await this.kubectl("get", "namespaces", "-o", "name")).trim().split("\n");
  }

  async #common(): Promise<string> {
    return this.kubectl("get", COMMON_KINDS, "-n", "default", "-o", "name");
  }

  /**
   * Installs Milvus as the reader of Milvus's page has it, release `my-release` in a namespace of its own.
   */
  async install(namespace: string, helm = HELM): Promise<void> {
    await installRelease({ kubeconfig: this.gke.kubeconfig, helm: this.tools[helm], namespace });
  }

  /** Installs the smallest such release, with these values on top, without waiting for its one pod. */
  async installSmall(namespace: string, values: object = {}, helm = HELM, chart = CHART): Promise<void> {
    const starting = join(dirname(CHART), "starting-values.yaml");
    const flags = ["-n", namespace, "--create-namespace", "--values", starting, "--values", "-", UNVALIDATED];
    const small = { cluster: { enabled: false }, etcd: { enabled: false }, ...values };
    const args = ["install", "my-release", chart, ...flags];
    succeeded(args, await run(this.#program(helm), args, { input: JSON.stringify(small) }));
  }

  /**
   * Makes a job on a runner that has only kubectl and this Helm, and, unless it is asked not to, the
   * credentials that google-github-actions/auth leaves behind.
   */
  async job(
    options: { helm?: HelmName; google?: boolean; environment?: Record<string, string> } = {},
  ): Promise<Job> {
    const { helm = HELM, google = true, environment = {} } = options;
    const { KUBECONFIG: _, ...credentials } = this.gke.env;
    const job = await Job.create(await mkdtemp(join(this.gke.directory, "job-")), {
      PATH: `${dirname(this.tools[helm])}:${dirname(this.tools.kubectl)}`,
      GOGC,
      ...(google && credentials),
      ...environment,
    });
    this.#jobs.push(job);
    return job;
  }

  /** Runs kubectl with all rights and returns what it printed. */
  async kubectl(...args: string[]): Promise<string> {
    return succeeded(args, await run(this.#program("kubectl"), args));
  }

  /** Gives standard input to kubectl. */
  async kubectlWith(input: string, ...args: string[]): Promise<string> {
    return succeeded(args, await run(this.#program("kubectl"), args, { input }));
  }

  /** Does what `kubectl apply -f` does. */
  apply(object: object, ...flags: string[]): Promise<string> {
    return this.kubectlWith(JSON.stringify(object), "apply", "-f", "-", ...flags);
  }

  helm(...args: string[]): Promise<string> {
    return this.helmWith("", ...args);
  }

  /** Gives standard input to Helm. */
  async helmWith(input: string, ...args: string[]): Promise<string> {
    const unvalidated = /^(install|upgrade)$/.test(args[0] ?? "") ? [...args, UNVALIDATED] : args;
    return succeeded(args, await run(this.#program(HELM), unvalidated, { input }));
  }

  async get(namespace: string, kind: string, name: string): Promise<ApiObject> {
    return JSON.parse(
      await this.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--show-managed-fields"),
    );
  }

  /** The values that users have set on release my-release, as Helm has them. */
  async values(namespace: string): Promise<Record<string, unknown>> {
    return JSON.parse(await this.helm("get", "values", "my-release", "-n", namespace, "-o", "json"));
  }

  /** The status of each revision of release my-release, the oldest first. */
  async revisions(namespace: string): Promise<string[]> {
    const history = await this.helm("history", "my-release", "-n", namespace, "-o", "json");
    return JSON.parse(history).map(({ status }: { status: string }) => status);
  }

  /**
   * Everything in a namespace that a run could change: two that are equal say that nothing has been written.
   */
  async snapshot(namespace: string): Promise<Record<string, string>> {
    const list: { items: SnapshotObject[] } = JSON.parse(
      await this.kubectl("get", KINDS, "-n", namespace, "-o", "json"),
    );
    return Object.fromEntries(
      list.items.map((object) => [
        `${object.kind}/${object.metadata.name} ${object.metadata.uid}`,
        writtenPart(object),
      ]),
    );
  }

  /** What the Google account of the jobs has written in a namespace, from the API server's audit log. */
  async writes(namespace: string): Promise<string[]> {
    this.#audit.read = this.#audit.read.then(() => this.#readAuditLog());
    await this.#audit.read;
    return this.#audit.writes
      .filter(({ objectRef }) => objectRef?.namespace === namespace)
      .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name ?? ""}`);
  }

  /** Goes on where it has ended before: the log of all test files grows to hundreds of megabytes. */
  async #readAuditLog(): Promise<void> {
    const log = createReadStream(filesIn(this.gke.directory).auditLog, { start: this.#audit.bytes });
    const text = await buffer(log);
    const whole = text.subarray(0, text.lastIndexOf("\n") + 1);
    this.#audit.bytes += whole.length;
    for (const line of whole.toString().split("\n")) {
      if (!line.includes(DEPLOYER) || line.includes("dryRun=All")) continue;
      const event: AuditEvent = JSON.parse(line);
      if (!["get", "list", "watch"].includes(event.verb)) this.#audit.writes.push(event);
    }
  }

  async setFault(fault: Fault, on: boolean): Promise<void> {
    await this.control(on ? "PUT" : "DELETE", `faults/${fault}`);
  }

  /** Switches a fault for the Ingresses of one namespace. */
  async setFaultIn(namespace: string, fault: NamespacedFault, on: boolean): Promise<void> {
    await this.control(on ? "PUT" : "DELETE", `faults/${fault}`, { namespace });
  }

  async setTime(name: keyof Timing, milliseconds: number): Promise<void> {
    await this.control("PUT", `timing/${name}`, milliseconds);
  }

  /**
   * Asks the local GKE's control API, e.g. for something at Google that users have
   * made, and returns its answer.
   */
  async control(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.gke.control}/${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /**
   * What there is at Google of a namespace's load balancers, its static addresses
   * (named like it) and its host.
   */
  async cloudOf(namespace: string): Promise<object> {
    const state: CloudState = JSON.parse(JSON.stringify(await this.control("GET", "state")));
    const host = hostOf(namespace);
    return {
      loadBalancers: state.loadBalancers.filter(({ ingress }) => ingress.startsWith(`${namespace}/`)),
      staticAddresses: state.staticAddresses.filter(({ name }) => name.startsWith(namespace)),
      backends: Object.keys(state.backends).filter((name) => name.includes(`-${namespace}-`)),
      records: [await this.recordsAt(host), await this.recordsAt(`_milvus-gke-load-balancer.${host}`)].flat(),
    };
  }

  /** The records that the world sees at a name. */
  async recordsAt(name: string): Promise<DnsRecord[]> {
    return JSON.parse(JSON.stringify(await this.control("GET", `dns-records/${name}`)));
  }

  #program(name: HelmName | "kubectl") {
    return { name, path: this.tools[name], env: { KUBECONFIG: this.gke.kubeconfig } };
  }
}

/**
 * The inputs of a job that deploys release my-release of a namespace. The release is upgraded once: tests of
 * the default, which keeps the layer-4 load balancer first, leave keep_layer4 out.
 */
export function inputsFor(namespace: string) {
  return {
    host: HOST,
    namespace,
    location: "us-central1",
    cluster_name: "my-cluster",
    chart: CHART,
    milvus_token: "root:Milvus",
    keep_layer4: "false",
    gcloud_version: "none",
  };
}

/** The host of a namespace whose tests need one of their own. */
export function hostOf(namespace: string): string {
  return `${namespace}.milvus.io`;
}

/**
 * Tells one write from another, but for those of Kubernetes's and Google's own
 * controllers, which may come late.
 */
function writtenPart({ kind, metadata, spec }: SnapshotObject): string {
  const { generation, labels, annotations = {}, resourceVersion } = metadata;
  if (kind === "Deployment") return `generation ${generation}`;
  if (kind !== "Service" && kind !== "Ingress") return resourceVersion;
  const given = Object.entries(annotations).filter(([name]) => !OF_CONTROLLERS.test(name));
  return JSON.stringify({ labels, annotations: given, spec });
}

function differenceOf(before: string[], after: string[]): string[] {
  return [
    ...before.filter((name) => !after.includes(name)),
    ...after.filter((name) => !before.includes(name)),
  ];
}

function helmNamed(text: string): HelmName {
  const name = HELM_NAMES.find((each) => each === text);
  if (!name) throw new Error(`TEST_HELM is ${text}, not one of ${HELM_NAMES.join(", ")}`);
  return name;
}

function succeeded(args: string[], { exitCode, stdout, stderr }: Output): string {
  if (exitCode !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  return stdout;
}
