import * as v from "valibot";
import { pause } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { getResource, isAlreadyThere, isInUse, isMissing, runOperation } from "./compute-requests.ts";
import { Address, type Scope, SHARED, SslCertificate, Subnetworks } from "./compute-resources.ts";
import type { GoogleProject } from "./google-api.ts";
import { refusedOperation } from "./operation.ts";

/** Longest wait for an address that is being reserved, in milliseconds. */
const RESERVING_LIMIT = 300_000;
/** Pause between two requests, in milliseconds. */
const PAUSE = 1000;

const Reserving = v.object({ status: v.literal("RESERVING") });

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
  const deadline = performance.now() + RESERVING_LIMIT;
  for (;;) {
    const body = await getResource(`${scope}/addresses/${name}`, project, {
      service: "compute",
      task: `read the static address ${name}`,
      permission: addressPermission(scope, "get"),
      role: READER,
    });
    if (body === undefined) return undefined;
    if (!v.is(Reserving, body) || performance.now() > deadline) return v.parse(Address, body);
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
  const failure = await runOperation("POST", `${scope}/addresses`, scope, project, {
    body: { name, description, ...kind },
  });
  if (failure && !isAlreadyThere(failure)) {
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
  const failure = await runOperation("DELETE", `${scope}/addresses/${name}`, scope, project);
  if (!failure) return true;
  if (isMissing(failure)) return false;
  if (isInUse(failure)) {
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
    const body = await getResource(`regions/${region}/subnetworks${query}`, host, {
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
  const body = await getResource(`${scope}/sslCertificates/${name}`, project, {
    service: "compute",
    task: `read the SSL certificate ${name}`,
    permission: scope === "global" ? "compute.sslCertificates.get" : "compute.regionSslCertificates.get",
    role: READER,
  });
  return body === undefined ? undefined : v.parse(SslCertificate, body);
}

/**
 * Tells whether a project has an SSL policy of that name. Ingresses use global ones.
 *
 * @throws ActionError if the request fails
 */
export async function hasSslPolicy(name: string, project: GoogleProject): Promise<boolean> {
  const body = await getResource(`global/sslPolicies/${name}`, project, {
    service: "compute",
    task: `read the SSL policy ${name}`,
    permission: "compute.sslPolicies.get",
    role: READER,
  });
  return body !== undefined;
}

function addressPermission(scope: Scope, verb: "get" | "create" | "delete"): string {
  return `compute.${scope === "global" ? "globalAddresses" : "addresses"}.${verb}`;
}
