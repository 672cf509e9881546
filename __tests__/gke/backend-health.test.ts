import { describe, expect, test } from "vitest";
import type { BackendService } from "../../local-gke/cloud.ts";
import { endpointsOf } from "../../src/gke/backend-health.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";
import { startGoogle } from "../support/google.ts";

const BACKEND: BackendService = {
  name: "k8s1-neg",
  namespace: "default",
  service: "my-release-milvus",
  port: 19_530,
  protocol: "HTTP2",
  timeoutSec: 30,
  healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz", checkIntervalSec: 15, timeoutSec: 15 },
};
const CHECKED = { ipAddress: "10.8.0.6", port: 19_530, node: "gke-node", passed: true };

async function google(backend: Partial<BackendService> = {}, checked = [CHECKED]) {
  const { cloud, environment, requests } = await startGoogle();
  cloud.setBackend({ ...BACKEND, ...backend });
  cloud.checksOf = () => checked;
  const project: GoogleProject = {
    projectId: "my-project",
    universe: "googleapis.com",
    environment,
    accessToken: async () => {
      const url = `${environment.GHA_ENDPOINT_OVERRIDE_compute}`.replace(
        "/compute/v1",
        "/computeMetadata/v1",
      );
      const answer = await fetch(`${url}/instance/service-accounts/default/token`, {
        headers: { "metadata-flavor": "Google" },
      });
      return JSON.parse(await answer.text()).access_token;
    },
    signal: new AbortController().signal,
  };
  return { cloud, project, requests };
}

describe("the endpoints of a backend service", () => {
  test("are returned with what the last health check says", async () => {
    const { project } = await google({}, [CHECKED, { ...CHECKED, ipAddress: "10.8.1.7", passed: false }]);
    expect(await endpointsOf("global", "k8s1-neg", project)).toEqual([
      { ipAddress: "10.8.0.6", port: 19_530, healthState: "HEALTHY" },
      { ipAddress: "10.8.1.7", port: 19_530, healthState: "UNHEALTHY" },
    ]);
  });

  test("are none before the first check", async () => {
    const { project } = await google({}, []);
    expect(await endpointsOf("global", "k8s1-neg", project)).toEqual([]);
  });

  test("are asked for in the region of an internal load balancer", async () => {
    const { project, requests } = await google({ region: "us-central1" });
    expect(await endpointsOf("regions/us-central1", "k8s1-neg", project)).toHaveLength(1);
    expect(await endpointsOf("global", "k8s1-neg", project)).toBeUndefined();
    expect(requests).toContain(
      "POST /compute/v1/projects/my-project/regions/us-central1/backendServices/k8s1-neg/getHealth",
    );
  });

  test("need a right", async () => {
    const { cloud, project } = await google();
    cloud.setFault("refuse-compute", true);
    await expect(endpointsOf("global", "k8s1-neg", project)).rejects.toThrow(
      "The credentials may not read the health of the backend service k8s1-neg.\nWhy: Required 'compute.backendServices.get' permission for 'projects/my-project/global/backendServices/k8s1-neg'\nWhat to do: grant the identity that runs this roles/compute.viewer in the project my-project (it holds compute.backendServices.get).",
    );
    await expect(endpointsOf("regions/us-central1", "k8s1-neg", project)).rejects.toThrow(
      "compute.regionBackendServices.get",
    );
  });
});
