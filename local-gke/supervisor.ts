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
import { parseAssignment, type Report, STATE_FILE, type State } from "./control-plane/state.ts";
import { Tokens } from "./control-plane/tokens.ts";
import { startGoogleApi } from "./google/api.ts";
import { startControllers } from "./ingress/controllers.ts";
import { startLoadBalancers } from "./load-balancer/load-balancers.ts";
import { milvusPython } from "./milvus/python.ts";
import { startMilvus } from "./milvus/server.ts";

/*
 * The process that a local GKE consists of: it owns the control plane's programs and is itself everything that is
 * Google's. cluster.ts starts it, detached, and hears from it over the IPC channel, whose end tells this process
 * that the owner is gone.
 */

const STOP_LIMIT_MS = 5_000;

const assignment = parseAssignment(process.argv[2]);
const { directory } = assignment;

/** What has been started, to be stopped in reverse. */
const stops: (() => Promise<void>)[] = [];
/** Set once everything is ready. */
let state: State | undefined;
let ended: Promise<never> | undefined;

process.on("SIGTERM", () => end());
process.on("SIGINT", () => end());
process.on("disconnect", () => {
  if (!state || assignment.owned) end();
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
  const loadBalancers = await startLoadBalancers({ kubeconfig, cloud, milvus });
  stops.push(loadBalancers.stop);
  const google = await startGoogleApi({
    cloud,
    cluster: clusterOf(controlPlane),
    issueToken: () => tokens.issue(),
    directory,
    timing: controllers.timing,
  });
  stops.push(google.stop);
  const control = await startControlApi(cloud, tokens, controllers.timing);
  stops.push(control.stop);

  return {
    name: assignment.name,
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

/** Returns the first three numbers of loopback addresses that no other local GKE of this machine hands out. */
async function reserveNetwork(): Promise<string> {
  for (let n = 0; n < 256; n++) {
    const network = `127.20.${n}`;
    const held: Lock | undefined = await tryLock(`network ${network}`);
    if (held) {
      stops.push(held.release);
      return network;
    }
  }
  throw new Error("256 local GKEs run on this machine already");
}

/**
 * Ends everything, this process included. The directory goes too, unless there is a failure that nobody would
 * hear of otherwise.
 */
function end(failure?: string): Promise<never> {
  ended ??= endAll(failure);
  return ended;
}

async function endAll(failure: string | undefined): Promise<never> {
  await Promise.race([stopAll(), new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS))]);
  // Whatever a stand-in has left behind.
  await killProcessesOf(directory);
  if (failure && state && !assignment.owned) await writeState({ ...state, failure });
  else await rm(directory, { recursive: true, force: true });
  // What was just about to start.
  await killProcessesOf(directory);
  if (failure) report({ type: "failed", message: failure });
  process.exit(failure ? 1 : 0);
}

async function stopAll(): Promise<void> {
  for (const stop of stops.reverse()) await stop().catch(console.error);
}

async function writeState(current: State): Promise<void> {
  const file = join(directory, STATE_FILE);
  // Whoever reads it meanwhile finds a whole one.
  await writeFile(`${file}.new`, JSON.stringify(current), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function report(message: Report): void {
  if (process.connected) process.send?.(message);
}
