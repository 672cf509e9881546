import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CoreV1Api, type KubeConfig, KubernetesObjectApi, PatchStrategy } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from "vitest";
import { binary } from "../../local-gke/binaries/binaries.ts";
import { apiServerOf, kubeConfigFrom } from "../../local-gke/control-plane/client.ts";
import { kubeconfig } from "../../local-gke/control-plane/kubeconfig.ts";
import { MARK } from "../../local-gke/control-plane/processes.ts";
import { createCrds } from "../../local-gke/ingress/crds.ts";
import { ActionError } from "../../src/base/errors.ts";
import { type Output, run } from "../../src/base/process.ts";
import { privateDirectory } from "../../src/gke/kubeconfig.ts";
import { ApiServer } from "../../src/kubernetes/api.ts";
import { aControlPlane } from "./control-plane.ts";
import { type Gateway, startGateway } from "./gateway.ts";

interface Running {
  kubectl: string;
  controlPlane: Awaited<ReturnType<typeof aControlPlane>>;
  gateway: Gateway;
  kubeConfig: KubeConfig;
  objects: KubernetesObjectApi;
  api: ApiServer;
}

/** An object, or the part of one that a patch changes. */
interface Written {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** Returns an API server that this test file has to itself, from before its tests until they have ended. */
export function useApiLab(): ApiLab {
  const lab = new ApiLab();
  beforeAll(() => lab.start());
  afterEach(() => {
    lab.gateway.intercept = undefined;
  });
  afterAll(() => lab.stop());
  return lab;
}

/** A real API server, and ways to it. No controller of Google's changes what a test makes there. */
class ApiLab {
  #running: Running | undefined;
  #namespaces = 0;
  #configs = 0;

  get controlPlane(): Running["controlPlane"] {
    return this.#own.controlPlane;
  }

  get gateway(): Gateway {
    return this.#own.gateway;
  }

  get kubeConfig(): KubeConfig {
    return this.#own.kubeConfig;
  }

  /** The way to the API server, with all rights, of tests that leave its program alone. */
  get api(): ApiServer {
    return this.#own.api;
  }

  get #own(): Running {
    if (!this.#running) throw new Error("the API server is there once the hooks of useApiLab have run");
    return this.#running;
  }

  async start(): Promise<void> {
    const kubectl = await binary("kubectl");
    const controlPlane = await aControlPlane();
    const { port, caCertificate: ca, token } = apiServerOf(controlPlane.kubeconfig);
    const gateway = await startGateway({ port, ca, token });
    const kubeConfig = kubeConfigFrom(controlPlane.kubeconfig);
    const objects = KubernetesObjectApi.makeApiClient(kubeConfig);
    const folder = await privateDirectory({ RUNNER_TEMP: controlPlane.directory });
    const env = { KUBECONFIG: controlPlane.kubeconfig, [MARK]: folder };
    const api = await ApiServer.open({ name: "kubectl", path: kubectl, env }, folder);
    this.#running = { kubectl, controlPlane, gateway, kubeConfig, objects, api };
  }

  async stop(): Promise<void> {
    await this.#running?.api.close();
    await this.#running?.gateway.stop();
    await this.#running?.controlPlane.stop();
  }

  /** Makes the kinds that come with GKE's HTTP load balancing. */
  async createCrds(): Promise<void> {
    await createCrds(this.kubeConfig, new AbortController().signal);
  }

  /**
   * Creates or changes an object in this process, as somebody who owns what it sets. To start kubectl takes
   * longer than to be answered.
   */
  async apply(object: Written): Promise<void> {
    const strategy = PatchStrategy.ServerSideApply;
    await this.#own.objects.patch(object, undefined, undefined, "tests", true, strategy);
  }

  /** Changes what a merge patch names. */
  async patch(object: Written): Promise<void> {
    const strategy = PatchStrategy.MergePatch;
    await this.#own.objects.patch(object, undefined, undefined, undefined, undefined, strategy);
  }

  /** Deletes an object, without waiting for what holds it. */
  async delete(object: Written): Promise<void> {
    await this.#own.objects.delete(object, undefined, undefined, 0);
  }

  /** Runs kubectl with all rights and returns what it printed. */
  async kubectl(args: string[], input?: string): Promise<string> {
    const env = { KUBECONFIG: this.controlPlane.kubeconfig };
    const program = { name: "kubectl", path: this.#own.kubectl, env };
    const { exitCode, stdout, stderr }: Output = await run(program, args, {
      ...(input !== undefined && { input }),
    });
    expect(exitCode, `kubectl ${args.join(" ")}: ${stderr}`).toBe(0);
    return stdout;
  }

  async newNamespace(): Promise<string> {
    this.#namespaces += 1;
    const name = `test-${this.#namespaces}`;
    await this.kubeConfig.makeApiClient(CoreV1Api).createNamespace({ body: { metadata: { name } } });
    return name;
  }

  /** Returns the path of a kubeconfig with this content. */
  async writeConfig(content: string): Promise<string> {
    this.#configs += 1;
    const path = join(this.controlPlane.directory, `kubeconfig-${this.#configs}`);
    await writeFile(path, content);
    return path;
  }

  /** Opens a way to the API server through the gateway. */
  async throughGateway(): Promise<ApiServer> {
    const config = await this.writeConfig(kubeconfig({ server: this.gateway.url }));
    return (await this.open({ config })).api;
  }

  /**
   * Opens a way to the API server in a folder of its own until the test has ended; with all
   * rights unless told otherwise.
   */
  async open(
    options: { config?: string; flags?: string[]; path?: string; folder?: string } = {},
  ): Promise<{ api: ApiServer; folder: string }> {
    const folder = options.folder ?? (await privateDirectory({ RUNNER_TEMP: this.controlPlane.directory }));
    const program = {
      name: "kubectl",
      path: options.path ?? this.#own.kubectl,
      env: { KUBECONFIG: options.config ?? this.controlPlane.kubeconfig, [MARK]: folder },
      leadingArgs: options.flags ?? [],
    };
    const api = await ApiServer.open(program, folder);
    onTestFinished(() => api.close());
    return { api, folder };
  }
}

/** Returns the message with which a promise fails, which must be one for the job log. */
export async function failure(failing: Promise<unknown>): Promise<string> {
  const error = await failing.then(
    () => expect.unreachable("it succeeded"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ActionError);
  return error instanceof ActionError ? error.message : "";
}
