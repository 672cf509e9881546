import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { type Lock, tryLock } from "./binaries/lock.ts";
import { KUBERNETES } from "./binaries/pins.ts";
import { Cloud } from "./cloud.ts";
import { startControlApi } from "./control-plane/control-api.ts";
import { type ControlPlane, startControlPlane } from "./control-plane/control-plane.ts";
import { serveJson } from "./control-plane/json-server.ts";
import { killProcessesOf } from "./control-plane/processes.ts";
import {
  parseSupervisorOptions,
  STATE_FILE,
  type State,
  type SupervisorMessage,
} from "./control-plane/state.ts";
import { Tokens } from "./control-plane/tokens.ts";
import { startGoogleApi } from "./google/api.ts";
import { startControllers } from "./ingress/controllers.ts";
import { startLoadBalancers } from "./load-balancer/load-balancers.ts";
import { milvusPython } from "./milvus/python.ts";
import { startMilvus } from "./milvus/server.ts";
import { startNodeAutoscaler } from "./node-autoscaler.ts";

/*
 * The main process of a local GKE. It runs the control plane's programs as children and all stand-ins for
 * Google in itself. cluster.ts starts it detached and receives its messages over the IPC channel. If that
 * channel closes, the owner is gone.
 */

const STOP_LIMIT_MS = 5_000;

const options = parseSupervisorOptions(process.argv[2]);
const { directory } = options;

/** Stops everything that has started, in reverse order. */
const stops: (() => Promise<void>)[] = [];
/** Set once everything is ready. */
let state: State | undefined;
let ended: Promise<never> | undefined;

process.on("SIGTERM", () => end());
process.on("SIGINT", () => end());
process.on("disconnect", () => {
  if (!state || options.owned) end();
});
process.on("uncaughtException", (error) => {
  console.error(error);
  end(`the supervisor of this local GKE failed: ${messageOf(error)}`);
});

try {
  const started = await start();
  await writeState(started);
  state = started;
  report({ type: "ready", state });
} catch (error) {
  await end(messageOf(error));
}

async function start(): Promise<State> {
  const cloud = new Cloud(await reserveNetwork());
  const tokens = new Tokens();

  const tokenReview = await serveJson({ "POST /token-review": ({ body }) => tokens.review(body) });
  stops.push(tokenReview.stop);
  const controlPlane = await startControlPlane(directory, `${tokenReview.url}/token-review`);
  stops.push(controlPlane.stop);
  controlPlane.died.catch((error: unknown) => end(messageOf(error)));

  const { kubeconfig } = controlPlane;
  const controllers = await startControllers({ kubeconfig, cloud });
  stops.push(controllers.stop);
  const publicAuthority = join(directory, "public-authority.pem");
  await writeFile(publicAuthority, controllers.publicAuthority);
  const milvus = startMilvus();
  milvus.then(
    ({ stop }) => stops.push(stop),
    (error: unknown) => end(messageOf(error)),
  );
  const loadBalancers = await startLoadBalancers({
    kubeconfig,
    cloud,
    milvus,
    timing: controllers.timing,
  });
  stops.push(loadBalancers.stop);
  const nodeAutoscaler = await startNodeAutoscaler({ kubeconfig, timing: controllers.timing });
  stops.push(nodeAutoscaler.stop);
  const google = await startGoogleApi({
    cloud,
    cluster: clusterOf(controlPlane),
    issueToken: (scopes) => tokens.issue(scopes),
    directory,
    timing: controllers.timing,
  });
  stops.push(google.stop);
  const control = await startControlApi(cloud, tokens, controllers.timing, controlPlane);
  stops.push(control.stop);

  return {
    name: options.name,
    directory,
    kubeconfig,
    control: control.url,
    env: {
      KUBECONFIG: kubeconfig,
      LOCAL_GKE_PYTHON: await milvusPython(),
      NODE_EXTRA_CA_CERTS: publicAuthority,
      ...google.env,
    },
  };
}

function clusterOf(controlPlane: ControlPlane) {
  return {
    name: "my-cluster",
    location: "us-central1",
    endpoint: controlPlane.endpoint,
    caCertificatePem: controlPlane.caCertificate,
    version: `${KUBERNETES}-gke.1000000`,
  };
}

/** Reserves a loopback network, e.g. `127.20.3`, that no other local GKE of this machine uses. */
async function reserveNetwork(): Promise<string> {
  for (let n = 0; n < 256; n++) {
    const network = `127.20.${n}`;
    const held: Lock | undefined = await tryLock(`network ${network}`);
    if (held) {
      stops.push(held.release);
      return network;
    }
  }
  throw new Error("256 local GKEs are already running on this machine");
}

/**
 * Ends everything, including this process, and removes the directory. The directory stays to keep the failure
 * of a local GKE that no process watches.
 */
function end(failure?: string): Promise<never> {
  ended ??= endAll(failure);
  return ended;
}

async function endAll(failure: string | undefined): Promise<never> {
  await Promise.race([stopAll(), new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS))]);
  await killProcessesOf(directory);
  if (failure && state && !options.owned) await writeState({ ...state, failure });
  else await rm(directory, { recursive: true, force: true });
  // A program may have started in the meantime.
  await killProcessesOf(directory);
  if (failure) report({ type: "failed", message: failure });
  process.exit(failure ? 1 : 0);
}

async function stopAll(): Promise<void> {
  for (const stop of stops.reverse()) await stop().catch(console.error);
}

async function writeState(current: State): Promise<void> {
  const file = join(directory, STATE_FILE);
  // Renaming it keeps a reader from finding a partial file.
  await writeFile(`${file}.new`, JSON.stringify(current), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function report(message: SupervisorMessage): void {
  if (process.connected) process.send?.(message);
}
