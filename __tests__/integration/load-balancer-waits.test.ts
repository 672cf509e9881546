import { expect, onTestFinished, test, vi } from "vitest";
import { waitForAddress, waitForBackends } from "../../src/loadbalancer/waits.ts";
import { LoadBalancerWatch } from "../../src/loadbalancer/watch.ts";
import { failure, useApiLab } from "../support/api-lab.ts";
import { captureLog } from "../support/job-log.ts";

const NAME = "my-release-milvus";
const SECRET = `${NAME}-tls`;
const CLASS = "kubernetes.io/ingress.class";
/** Far more than anything takes. */
const LIMIT_MS = 600_000;
/** Nobody cancels the job. */
const GOING_ON = new AbortController().signal;
const REQUIREMENT = {
  loadBalancer: "external",
  allowHttp: false,
  reserved: undefined,
  former: undefined,
} as const;
/** The certificate is in no Secret. */
const AT_GOOGLE = { secretHash: undefined };

const lab = useApiLab();

const log = captureLog();

/** Makes an Ingress of a class, its Service and Secret in a namespace of its own, and watches them. */
async function watched(ingressClass: string) {
  const { api } = lab;
  const namespace = await lab.newNamespace();
  const ingress = {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: NAME, namespace, annotations: { [CLASS]: ingressClass } },
    spec: { defaultBackend: { service: { name: NAME, port: { number: 19_530 } } } },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: NAME, namespace },
    spec: { ports: [{ port: 19_530 }] },
  };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: SECRET, namespace } };
  for (const object of [service, secret, ingress]) await api.apply(object, { dryRun: false });
  const watch = await LoadBalancerWatch.open(api, {
    namespace,
    host: "my-release.milvus.io",
    ingress: NAME,
    backendConfig: "my-release-backendconfig",
    frontendConfig: "my-release-frontendconfig",
    ingressClass: "gce",
    managedCertificate: undefined,
    tlsSecret: SECRET,
    authoritySecret: undefined,
    service: NAME,
  });
  onTestFinished(() => watch.close());
  const its = { name: NAME, namespace };
  const annotate = (annotations: object) =>
    lab.patch({ apiVersion: ingress.apiVersion, kind: ingress.kind, metadata: { ...its, annotations } });
  const annotateService = (annotations: object) =>
    lab.patch({ apiVersion: "v1", kind: "Service", metadata: { ...its, annotations } });
  return { namespace, watch, annotate, annotateService };
}

test("the class from before this run doesn't end a wait, one that replaces this run's does", async () => {
  const { namespace, watch, annotate } = await watched("nginx");
  const failed = failure(waitForAddress(watch, REQUIREMENT, AT_GOOGLE, LIMIT_MS, GOING_ON));
  await annotate({ [CLASS]: "gce" });
  await expect.poll(() => watch.state.hadClass).toBe(true);
  await annotate({ [CLASS]: "gce-internal" });
  expect(await failed).toMatch(
    new RegExp(
      `^The load balancer of Ingress ${namespace}/${NAME} can't be made: something has changed the Ingress's class\\.\nWhy: the class was gce, and is gce-internal now.*\n.*managed-fields`,
    ),
  );
});

test.each([
  ["Service", NAME],
  ["Secret", SECRET],
])("a %s that somebody deletes ends the wait", async (kind, name) => {
  const { namespace, watch } = await watched("gce");
  const failed = failure(waitForAddress(watch, REQUIREMENT, AT_GOOGLE, LIMIT_MS, GOING_ON));
  await lab.delete({ apiVersion: "v1", kind, metadata: { name, namespace } });
  expect(await failed).toContain(
    `${kind} ${namespace}/${name} was deleted while this action waited for the load balancer.`,
  );
});

test("a limit that ends with another class names it", async () => {
  const { namespace, watch } = await watched("nginx");
  const waiting = waitForAddress(watch, REQUIREMENT, AT_GOOGLE, 10, GOING_ON);
  expect(await failure(waiting)).toMatch(
    new RegExp(`^Ingress ${namespace}/${NAME} has no address after .*\nWhy: the Ingress's class is nginx`),
  );
});

test("a limit that ends without any controller says what to switch on", async () => {
  const { watch } = await watched("gce");
  const waiting = waitForAddress(watch, REQUIREMENT, AT_GOOGLE, 10, GOING_ON);
  expect(await failure(waiting)).toMatch(
    /\nWhy: no controller has taken the Ingress on\nWhat to do: .*--update-addons=HttpLoadBalancing=ENABLED/,
  );
});

test("backends that Google finds healthy end the wait although the annotation is behind", async () => {
  const { watch, annotate, annotateService } = await watched("gce");
  await annotateService({
    "cloud.google.com/neg-status": '{"network_endpoint_groups":{"19530":"k8s1-neg"}}',
  });
  await annotate({
    "ingress.kubernetes.io/https-forwarding-rule": "k8s2-fs-x",
    "ingress.kubernetes.io/backends": '{"k8s-be-30000--uid":"HEALTHY","k8s1-neg":"Unknown"}',
  });
  const asked: (string | undefined)[] = [];
  const inspect = async (backend: string | undefined) => {
    asked.push(backend);
    const endpoints = [{ ipAddress: "10.0.0.1", port: 19_530, healthState: "HEALTHY" }];
    return { endpoints, obstacles: [] };
  };
  const certificates = { secretHash: undefined, preShared: [] };
  expect(await waitForBackends(watch, certificates, inspect, 2000, GOING_ON)).toEqual({
    "k8s-be-30000--uid": "HEALTHY",
    "k8s1-neg": "HEALTHY",
  });
  expect(asked).toEqual(["k8s1-neg"]);
  expect(log.text).toContain("Backend k8s1-neg is healthy, says Google's Compute Engine API.");
});

test("Google isn't asked about backends that the annotation finds healthy", async () => {
  const { watch, annotate, annotateService } = await watched("gce");
  await annotateService({
    "cloud.google.com/neg-status": '{"network_endpoint_groups":{"19530":"k8s1-neg"}}',
  });
  await annotate({
    "ingress.kubernetes.io/https-forwarding-rule": "k8s2-fs-x",
    "ingress.kubernetes.io/backends": '{"k8s1-neg":"HEALTHY"}',
  });
  const inspect = vi.fn();
  const certificates = { secretHash: undefined, preShared: [] };
  expect(await waitForBackends(watch, certificates, inspect, LIMIT_MS, GOING_ON)).toEqual({
    "k8s1-neg": "HEALTHY",
  });
  expect(inspect).not.toHaveBeenCalled();
});
