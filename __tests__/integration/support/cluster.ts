import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect } from "vitest";
import { parse, stringify } from "yaml";
import { binaries } from "../../../local-gke/binaries/binaries.ts";
import type { Fault, NamespacedFault } from "../../../local-gke/cloud.ts";
import { killProcessesOf } from "../../../local-gke/control-plane/processes.ts";
import type { State } from "../../../local-gke/control-plane/state.ts";
import type { Timing } from "../../../local-gke/ingress/timing.ts";
import { installRelease, STARTING_VALUES, UNVALIDATED } from "../../../local-gke/release.ts";
import { messageOf } from "../../../src/base/errors.ts";
import { type Output, run } from "../../../src/base/process.ts";
import { loadBalancerValues } from "../../../src/milvus/values.ts";
import { type ApiObject, ApiReader, type Kind } from "./api-reader.ts";
import { type ApiRequest, AuditLog, isWrite } from "./audit-log.ts";
import { borrow, giveBack } from "./borrowed.ts";
import { type Inputs, Job, type Step, type StepResult } from "./job.ts";
import { BACKEND_CONFIG, STANDALONE } from "./names.ts";
import { expectFailure, expectSuccess, type Failure } from "./results.ts";

export const CHART = join(import.meta.dirname, "../../../local-gke/chart/milvus");
/** The host that every test's Ingress has: each has an address of its own. */
export const HOST = "my-release.milvus.io";
/** The kinds of objects that the action and Helm write. */
const KINDS = ["Service", "ConfigMap", "Secret", "Ingress", "BackendConfig", "Deployment"] as const;
/** Annotations that Google's controllers write. */
const OF_CONTROLLERS = /^(ingress\.kubernetes\.io\/|cloud\.google\.com\/neg-status$)/;

/** Lets Go programs collect garbage less often: a runner has more memory to spare than CPU time. */
const GOGC = "400";

const HELM_NAMES = ["helm3", "helm4"] as const;

export type HelmName = (typeof HELM_NAMES)[number];

/** The Helm of tests that name none: TEST_HELM, else Helm 4. */
export const HELM = helmNamed(process.env.TEST_HELM ?? "helm4");

/** A set of records as the world sees it. */
export interface DnsRecord {
  name: string;
  type: string;
  ttl: number;
  values: string[];
}

/** What tests read of the control API's state. */
interface CloudState {
  loadBalancers: { ingress: string }[];
  staticAddresses: { name: string }[];
  backends: Record<string, string>;
}

/** A cluster that a test file has to itself. */
interface Borrowed {
  gke: State;
  tools: Record<HelmName | "kubectl", string>;
  auditLog: AuditLog;
  api: ApiReader;
}

/** What a test file finds in a cluster, by which it knows what it has left there. */
interface Found {
  namespaces: string[];
  /** What is in no namespace, or in `default`, and could disturb another test file, as kind/name. */
  common: string[];
}

/** How a job differs from others. */
export interface JobOptions {
  helm?: HelmName;
  /** False: it has not the credentials that google-github-actions/auth leaves behind. */
  google?: boolean;
  environment?: Record<string, string>;
  files?: Files;
}

/** What a job's workspace has, by path: text, or documents that are written as YAML. */
export type Files = Record<string, string | object>;

/** What is in no namespace and could disturb another test file. */
const CLUSTER_KINDS = [
  ...["Node", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"],
  "ValidatingWebhookConfiguration",
] as const;

/**
 * Returns a local GKE that this test file has to itself, from before its tests until they have ended.
 *
 * @param inputs what the file's runs of the action have in common, by namespace
 * @param options what its jobs have in common; asked for when a job is made
 */
export function useCluster(
  inputs: (namespace: string) => Inputs = () => ({}),
  options: () => JobOptions = () => ({}),
): TestCluster {
  const cluster = new TestCluster(inputs, options);
  beforeAll(() => cluster.borrow());
  afterAll(() => cluster.giveBack());
  return cluster;
}

/** A local GKE, and what tests do with it. */
export class TestCluster {
  readonly #inputs: (namespace: string) => Inputs;
  readonly #options: () => JobOptions;
  readonly #jobs: Job[] = [];
  #borrowed: Borrowed | undefined;
  #found: Found = { namespaces: [], common: [] };

  constructor(inputs: (namespace: string) => Inputs, options: () => JobOptions) {
    this.#inputs = inputs;
    this.#options = options;
  }

  get gke(): State {
    return this.#own.gke;
  }

  get tools(): Record<HelmName | "kubectl", string> {
    return this.#own.tools;
  }

  get #own(): Borrowed {
    if (!this.#borrowed) throw new Error("the cluster is there once the hooks of useCluster have run");
    return this.#borrowed;
  }

  /** Borrows a cluster that is as good as new, but may have namespaces of other test files. */
  async borrow(): Promise<void> {
    const tools = await binaries(["kubectl", "helm3", "helm4"]);
    const gke = await borrow();
    const auditLog = await AuditLog.open(gke.directory);
    this.#borrowed = { gke, tools, auditLog, api: new ApiReader(gke.kubeconfig) };
    this.#found = await this.#find();
  }

  /** Ends whatever a test has left running, and gives the cluster back. */
  async giveBack(): Promise<void> {
    if (!this.#borrowed) return;
    for (const job of this.#jobs) {
      for (const lines of job.unfinished()) {
        console.warn(`This job has not ended:\n${lines.join("\n")}`);
      }
      await killProcessesOf(job.directory);
      await rm(job.directory, { recursive: true, force: true });
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
    const { namespaces, common } = await this.#find();
    const differing = differenceOf(this.#found.common, common);
    if (differing.length > 0) throw new Error(`these came or went: ${differing.join(", ")}`);
    // GKE's own Services stay.
    const where = "metadata.namespace!=kube-system,metadata.namespace!=default";
    const kinds = "ingresses,managedcertificates,services";
    await this.kubectl("delete", kinds, "-A", `--field-selector=${where}`, "--timeout=30s");
    await this.control("DELETE", "resources");
    return namespaces.filter((name) => !this.#found.namespaces.includes(name));
  }

  async #find(): Promise<Found> {
    const { api } = this.#own;
    const [namespaces, ...common] = await Promise.all([
      api.list("Namespace"),
      ...CLUSTER_KINDS.map(async (kind) => namesOf(kind, await api.list(kind))),
      ...KINDS.map(async (kind) => namesOf(kind, await api.list(kind, "default"))),
    ]);
    return { namespaces: namespaces.map(({ metadata }) => metadata.name), common: common.flat() };
  }

  /**
   * Installs Milvus as the reader of Milvus's page has it, release `my-release` in a namespace of its own.
   */
  async install(namespace: string, helm = HELM): Promise<void> {
    await installRelease({ kubeconfig: this.gke.kubeconfig, helm: this.tools[helm], namespace });
  }

  /** Installs the smallest such release, with these values on top, without waiting for its one pod. */
  async installSmall(namespace: string, values: object = {}, helm = HELM, chart = CHART): Promise<void> {
    const valuesFlags = ["--values", STARTING_VALUES, "--values", "-"];
    const flags = ["-n", namespace, "--create-namespace", ...valuesFlags, UNVALIDATED];
    const standalone = { persistence: { enabled: false } };
    const small = { cluster: { enabled: false }, etcd: { enabled: false }, standalone, ...values };
    const args = ["install", "my-release", chart, ...flags];
    succeeded(args, await run(this.#program(helm), args, { input: JSON.stringify(small) }));
  }

  /** Installs such a release with the values that the action would set: a run has no upgrade to make. */
  async installLayer7(namespace: string, values: object = {}): Promise<void> {
    const own = { ...parse(await readFile(STARTING_VALUES, "utf8")), ...values };
    const wanted = loadBalancerValues(own, { name: "milvus", port: 19530 }, BACKEND_CONFIG);
    await this.installSmall(namespace, { ...values, ...wanted });
  }

  /** Waits until a Deployment of a namespace, by default the one pod of a small release, is available. */
  async available(namespace: string, deployment = STANDALONE): Promise<void> {
    const flags = ["--for=condition=Available", "--timeout=300s", "-n", namespace];
    await this.kubectl("wait", `deployment/${deployment}`, ...flags);
  }

  /** Makes a job on a runner that has only kubectl and a Helm. */
  async job(options: JobOptions = {}): Promise<Job> {
    const { helm = HELM, google = true, environment = {}, files = {} } = { ...this.#options(), ...options };
    const { KUBECONFIG: _, ...credentials } = this.gke.env;
    const job = await Job.create(await mkdtemp(join(this.gke.directory, "job-")), {
      PATH: `${dirname(this.tools[helm])}:${dirname(this.tools.kubectl)}`,
      GOGC,
      ...(google && credentials),
      ...environment,
    });
    this.#jobs.push(job);
    for (const [path, content] of Object.entries(files)) {
      const file = join(job.workspace, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, textOf(content));
    }
    return job;
  }

  /** The inputs of a run on a namespace's release my-release. */
  inputs(namespace: string, inputs: Inputs = {}): Inputs {
    return { ...inputsFor(namespace), ...this.#inputs(namespace), ...inputs };
  }

  /** Starts the action on a namespace's release my-release, in a job of its own. */
  async start(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<Step> {
    return (await this.job(options)).start(this.inputs(namespace, inputs));
  }

  /** Runs the action to its end. */
  async run(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<StepResult> {
    return (await this.start(namespace, inputs, options)).ended;
  }

  /** Runs the action, which must succeed. */
  async deploy(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<StepResult> {
    return expectSuccess(await this.run(namespace, inputs, options));
  }

  /** Has the action take away what it has made, which must succeed. */
  teardown(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<StepResult> {
    return this.deploy(namespace, { ...inputs, mode: "teardown" }, options);
  }

  /** Has the action make a plan, which must succeed and write nothing. */
  plan(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<StepResult> {
    return this.expectUnchanged(namespace, { ...inputs, mode: "plan" }, options);
  }

  /**
   * Runs the action, which must succeed, say that it has changed nothing, and write nothing. A run that waits
   * for Google's controllers may nudge them by a write.
   */
  async expectUnchanged(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<StepResult> {
    const writes = await this.writes(namespace);
    const result = await this.deploy(namespace, inputs, options);
    expect(result.outputs.changed, result.lines.join("\n")).toBe("false");
    expect(await this.writes(namespace)).toEqual(writes);
    return result;
  }

  /** Runs the action, which must fail with one error. */
  async failure(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<Failure> {
    return expectFailure(await this.run(namespace, inputs, options));
  }

  /** Runs the action, which must fail with one error before it has written anything. */
  async refusal(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<Failure> {
    const [snapshot, writes] = [await this.snapshot(namespace), await this.writes(namespace)];
    const result = await this.failure(namespace, inputs, options);
    expect(result.outputs.changed).toBe("false");
    expect(await this.writes(namespace)).toEqual(writes);
    expect(await this.snapshot(namespace)).toEqual(snapshot);
    return result;
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

  get(namespace: string, kind: Kind, name: string): Promise<ApiObject> {
    return this.#own.api.get(kind, namespace, name);
  }

  /** The objects of a kind in a namespace. */
  list(namespace: string, kind: Kind): Promise<ApiObject[]> {
    return this.#own.api.list(kind, namespace);
  }

  /** The names of a kind's objects in a namespace, without Helm's records. */
  async names(namespace: string, kind: Kind): Promise<string[]> {
    const names = (await this.list(namespace, kind)).map(({ metadata }) => metadata.name);
    return names.filter((name) => !name.startsWith("sh.helm."));
  }

  /** The values that users have set on release my-release, from its last revision. */
  async values(namespace: string): Promise<Record<string, unknown>> {
    const { data } = (await this.#records(namespace)).at(-1) ?? {};
    const record = Buffer.from(data?.release ?? "", "base64").toString();
    return JSON.parse(gunzipSync(Buffer.from(record, "base64")).toString()).config ?? {};
  }

  /** The status of each revision of release my-release, the oldest first. */
  async revisions(namespace: string): Promise<string[]> {
    return (await this.#records(namespace)).map(({ metadata }) => metadata.labels?.status ?? "");
  }

  /** The number of the newest revision, which the test before has left deployed. */
  async newestDeployed(namespace: string): Promise<number> {
    const revisions = await this.revisions(namespace);
    expect(revisions.at(-1), "what this test starts from").toBe("deployed");
    return revisions.length;
  }

  /** The Secrets in which Helm keeps the revisions of release my-release, the oldest first. */
  async #records(namespace: string): Promise<ApiObject[]> {
    const records = await this.#own.api.list("Secret", namespace, "owner=helm,name=my-release");
    const revision = ({ metadata }: ApiObject) => Number(metadata.labels?.version);
    return records.sort((a, b) => revision(a) - revision(b));
  }

  /**
   * Everything in a namespace that a run could change: two that are equal say that nothing has been written.
   */
  async snapshot(namespace: string): Promise<Record<string, string>> {
    const lists = await Promise.all(
      KINDS.map(async (kind) =>
        (await this.list(namespace, kind)).map((object) => [
          `${kind}/${object.metadata.name} ${object.metadata.uid}`,
          writtenPart(kind, object),
        ]),
      ),
    );
    return Object.fromEntries(lists.flat());
  }

  /** All that the Google account of the jobs has asked the API server for since this test file began. */
  requests(): Promise<readonly ApiRequest[]> {
    return this.#own.auditLog.requests();
  }

  /** What the Google account of the jobs has written in a namespace. */
  async writes(namespace: string): Promise<string[]> {
    return (await this.requests())
      .filter((request) => request.objectRef?.namespace === namespace && isWrite(request))
      .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name ?? ""}`);
  }

  async setFault(fault: Fault, on: boolean): Promise<void> {
    await this.control(on ? "PUT" : "DELETE", `faults/${fault}`);
  }

  /** Has Google's side of the whole cluster go wrong in one way meanwhile. */
  async withFault<T>(fault: Fault, work: () => Promise<T>): Promise<T> {
    await this.setFault(fault, true);
    try {
      return await work();
    } finally {
      await this.setFault(fault, false);
    }
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
function writtenPart(kind: Kind, { metadata, spec }: ApiObject): string {
  const { generation, labels, annotations = {}, resourceVersion } = metadata;
  if (kind === "Deployment") return `generation ${generation}`;
  if (kind !== "Service" && kind !== "Ingress") return resourceVersion;
  const given = Object.entries(annotations).filter(([name]) => !OF_CONTROLLERS.test(name));
  return JSON.stringify({ labels, annotations: given, spec });
}

function namesOf(kind: Kind, objects: ApiObject[]): string[] {
  return objects.map(({ metadata }) => `${kind}/${metadata.name}`);
}

function differenceOf(before: string[], after: string[]): string[] {
  return [
    ...before.filter((name) => !after.includes(name)),
    ...after.filter((name) => !before.includes(name)),
  ];
}

function textOf(content: string | object): string {
  if (typeof content === "string") return content;
  return [content]
    .flat()
    .map((each) => stringify(each))
    .join("---\n");
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
