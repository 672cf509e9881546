import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { getResource } from "./compute-requests.ts";
import { BackendService, type EndpointHealth, GroupHealth, type Scope } from "./compute-resources.ts";
import { type GoogleProject, requestOf } from "./google-api.ts";
import { refusedOperation } from "./operation.ts";

/** Longest wait for one response, in milliseconds: the answer only explains a wait. */
const TIMEOUT = 10_000;

/**
 * Returns what Google's last health checks say of each endpoint of a backend service; undefined if
 * there is no such backend service.
 *
 * @throws ActionError if a request fails
 */
export async function endpointsOf(
  scope: Scope,
  name: string,
  project: GoogleProject,
): Promise<EndpointHealth[] | undefined> {
  const path = `${scope}/backendServices/${name}`;
  const operation = {
    service: "compute",
    task: `read the health of the backend service ${name}`,
    permission: scope === "global" ? "compute.backendServices.get" : "compute.regionBackendServices.get",
    role: "roles/compute.viewer",
  } as const;
  const body = await getResource(path, project, operation);
  if (body === undefined) return undefined;
  // There is a group in each of the cluster's zones.
  const groups = await allOf(
    v.parse(BackendService, body).backends.map(async ({ group }) => {
      const options = { method: "POST", body: { group }, timeout: TIMEOUT } as const;
      const answer = await requestOf(project, "compute", `${path}/getHealth`, options);
      if (answer.failure) throw refusedOperation(answer.failure, project.projectId, operation);
      return v.parse(GroupHealth, answer.body).healthStatus;
    }),
  );
  return groups.flat();
}
