import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import type { Timing } from "../ingress/timing.ts";
import { Addresses } from "./compute-addresses.ts";
import { BackendServices } from "./compute-backend-services.ts";
import { invalid, notFound } from "./compute-errors.ts";
import { FilterError, parseFilter } from "./compute-filter.ts";
import { Operations } from "./compute-operations.ts";
import { resourceUrl, type Scope, sslCertificateResource, subnetworkResource } from "./compute-resources.ts";
import { SecurityPolicies } from "./compute-security-policies.ts";
import {
  type Api,
  type ApiAnswer,
  type ApiRequest,
  bearerToken,
  disabled,
  googleError,
  jsonBody,
  legacyError,
} from "./http.ts";
import { type AccessTokens, unauthenticated } from "./token-services.ts";

/** A request for a collection or one of its resources. */
interface Call {
  request: ApiRequest;
  scope: Scope;
  /** Path of the collection or of the resource. */
  path: string;
  /** Empty in a request for the collection. */
  name: string;
}

interface Method {
  /** The caller needs one of these permissions, depending on the scope. */
  permissions: { regional: string; global: string };
  answer(call: Call): ApiAnswer | Promise<ApiAnswer>;
}

/** The body of an insert. */
const Named = v.object({ name: v.string() });

/** compute.googleapis.com: addresses, operations, Cloud Armor policies, and reading what else there is. */
export function compute(cloud: Cloud, tokens: AccessTokens, timing: Timing, stopped: AbortSignal): Api {
  const methods = methodsOf(cloud, new Operations(timing, stopped));
  return (request) => {
    if (!tokens.accepts(bearerToken(request))) return unauthenticated();
    const [, scopePath, projectId, region, collection, name = "", verb] =
      /^\/(projects\/([^/]+)\/(?:global|regions\/([^/]+)))\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(
        request.path,
      ) ?? [];
    const method =
      methods[`${request.method} ${collection}${name && "/NAME"}${verb === undefined ? "" : `/${verb}`}`];
    if (scopePath === undefined || !method) return googleError(404, "NOT_FOUND", "Not Found");
    if (cloud.faults.has("disabled-compute-api")) return disabled("Compute Engine", "compute");
    const path = `${scopePath}/${collection}${name && `/${name}`}`;
    if (projectId !== cloud.projectId || cloud.faults.has("refuse-compute")) {
      const permission = region === undefined ? method.permissions.global : method.permissions.regional;
      const wanted = v.safeParse(Named, jsonBody(request));
      const created = wanted.success ? `${path}/${wanted.output.name}` : `projects/${projectId}`;
      const message = `Required 'compute.${permission}' permission for '${name ? path : created}'`;
      return legacyError(403, { reason: "forbidden", message });
    }
    if (region !== undefined && !/^[a-z]+-[a-z]+\d+$/.test(region)) {
      return invalid("region", region, "Unknown region.");
    }
    return method.answer({ request, scope: { region, path: scopePath }, path, name });
  };
}

/** The health of a backend service needs no right of its own. */
const READ_BACKENDS = { regional: "regionBackendServices.get", global: "backendServices.get" };

/** The methods by HTTP method and path, e.g. `GET addresses/NAME`. */
function methodsOf(cloud: Cloud, operations: Operations): Record<string, Method> {
  const addresses = new Addresses(cloud, operations);
  const policies = new SecurityPolicies(cloud, operations);
  const backends = new BackendServices(cloud);
  return {
    "GET addresses": {
      permissions: { regional: "addresses.list", global: "globalAddresses.list" },
      answer: (call) => list(call, "compute#addressList", addresses.list(call.scope)),
    },
    "POST addresses": {
      permissions: { regional: "addresses.create", global: "globalAddresses.create" },
      answer: ({ scope, request }) => operations.repeated(request) ?? addresses.insert(scope, request),
    },
    "GET addresses/NAME": {
      permissions: { regional: "addresses.get", global: "globalAddresses.get" },
      answer: ({ scope, path, name }) => found(path, addresses.get(scope, name)),
    },
    "DELETE addresses/NAME": {
      permissions: { regional: "addresses.delete", global: "globalAddresses.delete" },
      answer: ({ scope, name, request }) =>
        operations.repeated(request) ?? addresses.delete(scope, name, request),
    },
    "GET backendServices/NAME": {
      permissions: READ_BACKENDS,
      answer: ({ scope, path, name }) => found(path, backends.get(scope, name)),
    },
    "POST backendServices/NAME/getHealth": {
      permissions: READ_BACKENDS,
      answer: ({ scope, path, name, request }) => backends.getHealth(scope, name, request) ?? notFound(path),
    },
    "GET operations/NAME": {
      permissions: { regional: "regionOperations.get", global: "globalOperations.get" },
      answer: ({ path }) => found(path, operations.get(path)),
    },
    "POST operations/NAME/wait": {
      permissions: { regional: "regionOperations.get", global: "globalOperations.get" },
      answer: async ({ path }) => found(path, await operations.wait(path)),
    },
    "GET subnetworks": {
      permissions: { regional: "subnetworks.list", global: "subnetworks.list" },
      answer: (call) => {
        const here = [...cloud.subnetworks.values()].filter(({ region }) => region === call.scope.region);
        const all = here.map((each) => subnetworkResource(call.scope, each));
        return list(call, "compute#subnetworkList", all);
      },
    },
    "GET sslCertificates/NAME": {
      permissions: { regional: "regionSslCertificates.get", global: "sslCertificates.get" },
      answer: ({ scope, path, name }) => {
        const certificate = cloud.sslCertificates.get(name);
        const here = certificate?.region === scope.region ? certificate : undefined;
        return found(path, here && sslCertificateResource(scope, here));
      },
    },
    "GET sslPolicies/NAME": {
      permissions: { regional: "regionSslPolicies.get", global: "sslPolicies.get" },
      answer: ({ scope, path, name }) => {
        const exists = scope.region === undefined && cloud.sslPolicies.has(name);
        const resource = { kind: "compute#sslPolicy", name, selfLink: resourceUrl(path) };
        return found(path, exists ? resource : undefined);
      },
    },
    "GET securityPolicies/NAME": {
      permissions: policyPermissions("get"),
      answer: ({ scope, path, name }) => found(path, policies.get(scope, name)),
    },
    "POST securityPolicies": {
      permissions: policyPermissions("create"),
      answer: ({ scope, request }) => operations.repeated(request) ?? policies.insert(scope, request),
    },
    "DELETE securityPolicies/NAME": {
      permissions: policyPermissions("delete"),
      answer: ({ scope, name, request }) =>
        operations.repeated(request) ?? policies.delete(scope, name, request),
    },
    "POST securityPolicies/NAME/addRule": {
      permissions: policyPermissions("update"),
      answer: ({ scope, name, request }) =>
        unknownParameter(request, []) ?? policies.addRule(scope, name, request),
    },
    "POST securityPolicies/NAME/patchRule": {
      permissions: policyPermissions("update"),
      answer: ({ scope, name, request }) =>
        unknownParameter(request, ["priority"]) ?? policies.patchRule(scope, name, request),
    },
    "POST securityPolicies/NAME/removeRule": {
      permissions: policyPermissions("update"),
      answer: ({ scope, name, request }) =>
        unknownParameter(request, ["priority"]) ?? policies.removeRule(scope, name, request),
    },
  };
}

function policyPermissions(verb: string): Method["permissions"] {
  return { regional: `regionSecurityPolicies.${verb}`, global: `securityPolicies.${verb}` };
}

/** The response to a query parameter that a method doesn't have: the methods for rules have no requestId. */
function unknownParameter({ query }: ApiRequest, known: string[]): ApiAnswer | undefined {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const message = `Invalid JSON payload received. Unknown name "${unknown}": Cannot bind query parameter.`;
  return googleError(400, "INVALID_ARGUMENT", message);
}

function list({ request, path }: Call, kind: string, all: Record<string, unknown>[]): ApiAnswer {
  const filter = request.query.get("filter") ?? "";
  try {
    const items = all.filter(parseFilter(filter));
    const body = { kind, id: path, ...(items.length > 0 && { items }), selfLink: resourceUrl(path) };
    return { status: 200, body };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return invalid("filter", filter, "Invalid list filter expression.");
  }
}

function found(path: string, resource: object | undefined): ApiAnswer {
  return resource ? { status: 200, body: resource } : notFound(path);
}
