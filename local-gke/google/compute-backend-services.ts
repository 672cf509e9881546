import * as v from "valibot";
import type { BackendService, CheckedEndpoint, Cloud } from "../cloud.ts";
import { invalid, refusedMember } from "./compute-errors.ts";
import { resourceUrl, type Scope } from "./compute-resources.ts";
import { type ApiAnswer, type ApiRequest, jsonBody } from "./http.ts";

const ResourceGroupReference = v.strictObject({ group: v.string() });

/** Backend services, which the ingress controller makes, and the health of their endpoints. */
export class BackendServices {
  readonly #cloud: Cloud;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  /** The resource, undefined if there is none of that name in that scope. */
  get(scope: Scope, name: string): object | undefined {
    const backend = this.#backend(scope, name);
    return backend && this.#resource(scope, backend);
  }

  /**
   * The last health checks of one group's endpoints. A group whose endpoints nobody has checked yet has none.
   */
  getHealth(scope: Scope, name: string, request: ApiRequest): ApiAnswer | undefined {
    const backend = this.#backend(scope, name);
    if (!backend) return undefined;
    const given = v.safeParse(ResourceGroupReference, jsonBody(request));
    if (!given.success) return refusedMember(given.issues[0]);
    const { group } = given.output;
    if (group !== this.#groupUrl(backend)) return invalid("resource.group", group, "");
    const healthStatus = this.#cloud.checkedEndpoints(backend).map((each) => this.#status(each));
    const body = {
      kind: "compute#backendServiceGroupHealth",
      ...(healthStatus.length > 0 && { healthStatus }),
    };
    return { status: 200, body };
  }

  #backend({ region }: Scope, name: string): BackendService | undefined {
    const backend = this.#cloud.backends.get(name);
    return backend?.region === region ? backend : undefined;
  }

  #status({ ipAddress, port, node, passed }: CheckedEndpoint): object {
    const { projectId, zone } = this.#cloud;
    return {
      instance: resourceUrl(`projects/${projectId}/zones/${zone}/instances/${node}`),
      ipAddress,
      port,
      healthState: passed ? "HEALTHY" : "UNHEALTHY",
    };
  }

  #groupUrl({ name }: BackendService): string {
    const { projectId, zone } = this.#cloud;
    return resourceUrl(`projects/${projectId}/zones/${zone}/networkEndpointGroups/${name}`);
  }

  #resource(scope: Scope, backend: BackendService): object {
    const { name, protocol, timeoutSec, region } = backend;
    return {
      kind: "compute#backendService",
      name,
      backends: [{ group: this.#groupUrl(backend), balancingMode: "RATE", capacityScaler: 1 }],
      healthChecks: [resourceUrl(`${scope.path}/healthChecks/${name}`)],
      loadBalancingScheme: region === undefined ? "EXTERNAL" : "INTERNAL_MANAGED",
      protocol,
      timeoutSec,
      ...(region !== undefined && { region: resourceUrl(scope.path) }),
      selfLink: resourceUrl(`${scope.path}/backendServices/${name}`),
    };
  }
}
