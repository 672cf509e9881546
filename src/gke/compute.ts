import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { pause } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { Address, Operation, type Scope, SHARED, SslCertificate, Subnetworks } from "./compute-resources.ts";
import { type Failure, fields, type GoogleProject, isProjectMissing, requestOf } from "./google-api.ts";
import { type GoogleOperation, refusedOperation } from "./operation.ts";

/** Longest wait for an operation, in milliseconds. */
const OPERATION_LIMIT = 300_000;
/** Time-out of one request, in milliseconds: `operations.wait` answers within two minutes. */
const WAIT_TIMEOUT = 150_000;
/** Pause between two requests, in milliseconds: `operations.wait` may answer early. */
const PAUSE = 1000;

/** Purposes of proxy-only subnets for regional load balancers: the current one and the former one. */
const PROXY_ONLY = ["REGIONAL_MANAGED_PROXY", "INTERNAL_HTTPS_LOAD_BALANCER"];

const READER = "roles/compute.viewer";
const EDITOR = "roles/compute.loadBalancerAdmin";

/**
 * Returns a reserved address, undefined if no address has that name in that scope. While its status is
 * RESERVING it has no IP address yet, so this waits.
 *
 * @throws ActionError if the request fails
 */
export async function getAddress(
  scope: Scope,
  name: string,
  project: GoogleProject,
): Promise<Address | undefined> {
  const deadline = performance.now() + OPERATION_LIMIT;
  for (;;) {
    const body = await get(`${scope}/addresses/${name}`, project, {
      service: "compute",
      task: `read the static address ${name}`,
      permission: addressPermission(scope, "get"),
      role: READER,
    });
    if (body === undefined) return undefined;
    if (fields(body).status !== "RESERVING" || performance.now() > deadline) return v.parse(Address, body);
    await pause(PAUSE, project.signal);
  }
}

/**
 * Reserves an address and returns it. An existing address of that name is returned as it is. A global address
 * is external IPv4. A regional address is internal, with the purpose that GKE's internal Ingress needs to
 * serve both HTTP and HTTPS.
 *
 * @param details `subnetwork` of a regional address: the cluster's own, `projects/P/regions/R/subnetworks/S`
 * @throws ActionError if Google refuses
 */
export async function reserveAddress(
  scope: Scope,
  name: string,
  details: { description: string; subnetwork?: string | undefined },
  project: GoogleProject,
): Promise<Address> {
  const { description, subnetwork } = details;
  const kind =
    scope === "global"
      ? { addressType: "EXTERNAL", ipVersion: "IPV4" }
      : { addressType: "INTERNAL", purpose: SHARED, subnetwork };
  const failure = await change("POST", `${scope}/addresses`, scope, project, { name, description, ...kind });
  if (failure && !/^(alreadyExists|RESOURCE_ALREADY_EXISTS)$/.test(failure.reason ?? "")) {
    const permission = addressPermission(scope, "create");
    throw refusedOperation(failure, project.projectId, {
      service: "compute",
      task: `reserve the static address ${name}`,
      permission: scope === "global" ? permission : `${permission} and compute.subnetworks.use`,
      role: EDITOR,
    });
  }
  const address = await getAddress(scope, name, project);
  if (!address) {
    throw new ActionError(`The static address ${name} was reserved, but something else deleted it at once.`, {
      fix: "run the job again.",
    });
  }
  return address;
}

/**
 * Releases a reserved address. Returns whether it existed.
 *
 * @throws ActionError if Google refuses, as it does while a load balancer uses the address
 */
export async function releaseAddress(scope: Scope, name: string, project: GoogleProject): Promise<boolean> {
  const failure = await change("DELETE", `${scope}/addresses/${name}`, scope, project);
  if (!failure) return true;
  if (isMissing(failure)) return false;
  if (/^(resourceInUseByAnotherResource|RESOURCE_IN_USE_BY_ANOTHER_RESOURCE)$/.test(failure.reason ?? "")) {
    throw new ActionError(`The static address ${name} is still in use and was not released.`, {
      why: failure.text,
      fix: "delete what uses it, then run again.",
    });
  }
  throw refusedOperation(failure, project.projectId, {
    service: "compute",
    task: `release the static address ${name}`,
    permission: addressPermission(scope, "delete"),
    role: EDITOR,
  });
}

/**
 * Returns the names of a network's active proxy-only subnets in a region. An internal load balancer needs
 * one. This action doesn't create it, because its range must fit the plan of the network.
 *
 * @param network `projects/P/global/networks/N`; with a Shared VPC, P is its host project
 * @throws ActionError if the request fails
 */
export async function proxyOnlySubnets(
  region: string,
  network: string,
  project: GoogleProject,
): Promise<string[]> {
  const [, projectId = project.projectId] = /^projects\/([^/]+)\//.exec(network) ?? [];
  const host = { ...project, projectId };
  const found: string[] = [];
  let page: string | undefined;
  do {
    const query = page === undefined ? "" : `?pageToken=${encodeURIComponent(page)}`;
    const body = await get(`regions/${region}/subnetworks${query}`, host, {
      service: "compute",
      task: `list the subnets in ${region}`,
      permission: "compute.subnetworks.list",
      role: "roles/compute.networkViewer",
    });
    const { items, nextPageToken } = v.parse(Subnetworks, body ?? {});
    const fitting = items.filter(
      (subnet) =>
        PROXY_ONLY.includes(subnet.purpose ?? "") &&
        subnet.role === "ACTIVE" &&
        subnet.network.endsWith(`/${network}`),
    );
    found.push(...fitting.map(({ name }) => name));
    page = nextPageToken;
  } while (page !== undefined);
  return found;
}

/**
 * Returns an SSL certificate resource, undefined if none has that name in that scope.
 *
 * @throws ActionError if the request fails
 */
export async function getSslCertificate(
  scope: Scope,
  name: string,
  project: GoogleProject,
): Promise<SslCertificate | undefined> {
  const body = await get(`${scope}/sslCertificates/${name}`, project, {
    service: "compute",
    task: `read the SSL certificate ${name}`,
    permission: scope === "global" ? "compute.sslCertificates.get" : "compute.regionSslCertificates.get",
    role: READER,
  });
  return body === undefined ? undefined : v.parse(SslCertificate, body);
}

async function get(path: string, project: GoogleProject, operation: GoogleOperation): Promise<unknown> {
  const answer = await requestOf(project, "compute", path);
  if (!answer.failure) return answer.body;
  if (isMissing(answer.failure)) return undefined;
  throw refusedOperation(answer.failure, project.projectId, operation);
}

/** Sends a request that starts an operation and waits for its end. Returns a failure, if any. */
async function change(
  method: "POST" | "DELETE",
  path: string,
  scope: Scope,
  project: GoogleProject,
  body?: object,
): Promise<Failure | undefined> {
  // Google recognizes a repeated request by its requestId.
  const options = { method, ...(body && { body }) };
  let answer = await requestOf(project, "compute", `${path}?requestId=${randomUUID()}`, options);
  const deadline = performance.now() + OPERATION_LIMIT;
  for (;;) {
    if (answer.failure) return answer.failure;
    const operation = v.parse(Operation, answer.body);
    if (operation.status === "DONE") return failureIn(operation);
    if (performance.now() > deadline) {
      const text = `the operation ${operation.name} is ${operation.status} after ${OPERATION_LIMIT / 60_000} minutes`;
      return { status: undefined, url: undefined, text, reason: undefined };
    }
    const wait = `${scope}/operations/${operation.name}/wait`;
    answer = await requestOf(project, "compute", wait, { method: "POST", timeout: WAIT_TIMEOUT });
    if (!answer.failure && v.parse(Operation, answer.body).status !== "DONE") {
      await pause(PAUSE, project.signal);
    }
  }
}

function failureIn({ error, httpErrorStatusCode }: Operation): Failure | undefined {
  if (!error) return undefined;
  const text = error.errors.map(({ code, message }) => `${code}: ${message}`).join("; ");
  return { status: httpErrorStatusCode, url: undefined, text, reason: error.errors[0]?.code };
}

function isMissing(failure: Failure): boolean {
  return failure.status === 404 && !isProjectMissing(failure);
}

function addressPermission(scope: Scope, verb: "get" | "create" | "delete"): string {
  return `compute.${scope === "global" ? "globalAddresses" : "addresses"}.${verb}`;
}
