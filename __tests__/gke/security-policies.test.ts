import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import type { SecurityPolicy } from "../../src/gke/compute-resources.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";
import {
  changeSecurityPolicy,
  createSecurityPolicy,
  deleteSecurityPolicy,
  getSecurityPolicy,
} from "../../src/gke/security-policies.ts";
import { type Google, projectOf, startGoogle } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const NAME = "milvus-default-my-release-milvus-1a2b3c4d";
const WANTED = { name: NAME, description: "mine" };
const RANGES = Array.from({ length: 12 }, (_, index) => `203.0.${100 + index}.0/24`);

captureLog();

/** The project of a stand-in for Google, and what it was asked for. */
async function startProject(faults: Parameters<typeof startGoogle>[0] = {}) {
  const google = await startGoogle(faults);
  return { google, project: await projectOf(google) };
}

/** Loses the answers to rule changes: the requests have their effect, and are sent again. */
async function losingAnswers(google: Google, project: GoogleProject) {
  const target = google.environment.GHA_ENDPOINT_OVERRIDE_compute ?? "";
  const seen = new Set<string>();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const answer = await fetch(`${target}${request.url}`, {
      method: request.method ?? "GET",
      headers: { authorization: request.headers.authorization ?? "", "content-type": "application/json" },
      ...(body && { body }),
    });
    const key = `${request.url} ${body}`;
    const isLost = /Rule\b/.test(request.url ?? "") && !seen.has(key);
    seen.add(key);
    if (isLost) return response.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" });
    return response.end(await answer.text());
  });
  const port = await listenOnFreePort(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { ...project, environment: { GHA_ENDPOINT_OVERRIDE_compute: `http://127.0.0.1:${port}` } };
}

async function live(project: GoogleProject): Promise<SecurityPolicy> {
  const policy = await getSecurityPolicy(NAME, project);
  if (!policy) throw new Error("there is no policy");
  return policy;
}

const rangesOf = ({ rules }: SecurityPolicy) =>
  rules.filter(({ action }) => action === "allow").flatMap(({ match }) => match.config.srcIpRanges);

describe("a Cloud Armor policy", () => {
  test("is made, read, changed and deleted", async () => {
    const { project } = await startProject();
    expect(await getSecurityPolicy(NAME, project)).toBeUndefined();
    await createSecurityPolicy({ ...WANTED, ranges: RANGES }, project);
    const made = await live(project);
    expect(made).toMatchObject(WANTED);
    expect(rangesOf(made)).toEqual(RANGES);
    expect(made.rules.at(-1)).toMatchObject({ action: "deny(403)", priority: 2_147_483_647 });

    await changeSecurityPolicy(made, ["192.0.2.0/24", "2001:db8::/32"], project);
    const changed = await live(project);
    expect(rangesOf(changed)).toEqual(["192.0.2.0/24", "2001:db8::/32"]);
    expect(changed.rules.at(-1)).toMatchObject({ action: "deny(403)" });

    expect(await deleteSecurityPolicy(NAME, project)).toBe("deleted");
    expect(await deleteSecurityPolicy(NAME, project)).toBe("missing");
  });

  test("is changed to the end when answers get lost, and the requests are sent again", async () => {
    const { google, project } = await startProject();
    await createSecurityPolicy({ ...WANTED, ranges: RANGES }, project);
    await changeSecurityPolicy(await live(project), ["192.0.2.0/24"], await losingAnswers(google, project));
    expect(rangesOf(await live(project))).toEqual(["192.0.2.0/24"]);
  });

  test("is not deleted while a load balancer has it", async () => {
    const { google, project } = await startProject();
    await createSecurityPolicy({ ...WANTED, ranges: RANGES }, project);
    google.cloud.setBackend({
      name: "k8s1-backend",
      namespace: "default",
      service: "milvus",
      port: 19530,
      protocol: "HTTP2",
      timeoutSec: 30,
      healthCheck: {
        type: "HTTP",
        port: 9091,
        requestPath: "/healthz",
        checkIntervalSec: 15,
        timeoutSec: 10,
      },
      securityPolicy: NAME,
    });
    expect(await deleteSecurityPolicy(NAME, project)).toBe("in use");
    google.cloud.removeBackend("k8s1-backend");
    expect(await deleteSecurityPolicy(NAME, project)).toBe("deleted");
  });

  test("that another run makes at the same time is left alone", async () => {
    const { project } = await startProject();
    await createSecurityPolicy({ ...WANTED, ranges: RANGES }, project);
    await expect(createSecurityPolicy({ ...WANTED, ranges: RANGES }, project)).rejects.toThrow(
      `The Cloud Armor policy ${NAME} was made by another run at the same time.`,
    );
  });

  test("needs rights, which are named", async () => {
    const { google, project } = await startProject();
    await createSecurityPolicy({ ...WANTED, ranges: RANGES }, project);
    const made = await live(project);
    google.cloud.setFault("refuse-compute", true);
    const role = "grant the identity that runs this roles/compute.securityAdmin in the project my-project";
    for (const [verb, attempt] of Object.entries({
      get: () => getSecurityPolicy(NAME, project),
      create: () => createSecurityPolicy({ ...WANTED, ranges: RANGES }, project),
      update: () => changeSecurityPolicy(made, ["192.0.2.0/24"], project),
      delete: () => deleteSecurityPolicy(NAME, project),
    })) {
      await expect(attempt()).rejects.toThrow(`${role} (it holds compute.securityPolicies.${verb}`);
    }
  });
});
