import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Event } from "../../../src/kubernetes/objects.ts";
import {
  type ControllerWarning,
  diagnose,
  isTelling,
  KNOWN_TEXTS,
  LASTING_MS,
  lastingCause,
  recordWarning,
} from "../../../src/loadbalancer/diagnosis/diagnosis.ts";

const TRANSLATE = "Translation failed: invalid ingress spec: ";
const SYNC = "Error syncing to GCP: ";
const BACKEND = `${SYNC}error running backend syncing routine: `;
const ROUTINE = `${SYNC}error running load balancer syncing routine: `;
const LB = `${ROUTINE}loadbalancer UID8-NS-my-release-milvus-HASH8 does not exist: `;
const NO_GROUP = `${BACKEND}googleapi: Error 404: The resource 'projects/p/zones/us-central1-a/networkEndpointGroups/k8s1-x' was not found, notFound`;

const LASTING: [message: string, remedy: string][] = [
  [`${TRANSLATE}could not find service "ns/other-milvus"`, "check release and namespace"],
  [
    `${TRANSLATE}could not find port "&ServiceBackendPort{Name:,Number:19531,}" in service "ns/my-release-milvus"`,
    "service.port",
  ],
  [
    `${TRANSLATE}service "ns/my-release-milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs`,
    "removes the Service's annotations",
  ],
  [
    `${TRANSLATE}could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "ns/m", err: invalid character 'H' looking for beginning of value`,
    "changes the Service's annotations",
  ],
  [
    `${TRANSLATE}could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "ns/m", err: invalid port application protocol: http2`,
    "changes the Service's annotations",
  ],
  [
    `${TRANSLATE}error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service "ns/m", err: no BackendConfig for service port exists.`,
    "backend_config_name",
  ],
  [
    `${TRANSLATE}BackendConfig ns/n is not valid: iap and cdn cannot be enabled at the same time`,
    "correct the field that the Warning names",
  ],
  [`${TRANSLATE}failed to validate prefix path /* due to invalid wildcard`, "pathType Prefix"],
  [`${TRANSLATE}something new; could not find service "ns/n"`, "check release and namespace"],
  [
    `${ROUTINE}error initializing translator env: secrets "my-release-milvus-tls" not found`,
    "check tls_secret",
  ],
  [`${ROUTINE}secret "my-release-milvus-tls" does not specify cert as string data`, "tls_secret"],
  [`${ROUTINE}secret "my-release-milvus-tls" does not specify private key as string data`, "tls_secret"],
  [`${ROUTINE}error initializing translator env: secret "" does not exist`, "check tls_secret"],
  [
    `${LB}Cert creation failures - k8s2-cr-x Error:googleapi: Error 400: The SSL certificate could not be parsed., sslCertificateCouldNotParseCert`,
    "valid PEM certificate",
  ],
  [
    `${LB}Cert creation failures - k8s2-cr-x Error:googleapi: Error 403: QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.`,
    "raise that quota",
  ],
  [
    `${LB}the given static IP name my-release-ip doesn't translate to an existing static IP.`,
    "set static_ip_name to a global address",
  ],
  [
    `${BACKEND}error ensuring health check: googleapi: Error 400: Invalid value for field 'resource.timeoutSec': '15'. TimeoutSec should be less than checkIntervalSec., invalid`,
    "timeoutSec must be below checkIntervalSec",
  ],
  [
    `${BACKEND}Protocol "http" is not valid, must be one of ["HTTP","HTTPS","HTTP2"]`,
    "type one of HTTP, HTTPS, HTTP2",
  ],
  [
    `${BACKEND}googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded. Limit: 5.0 globally., quotaExceeded`,
    "raise that quota",
  ],
  [
    `${LB}googleapi: Error 403: Required 'compute.sslCertificates.create' permission for 'projects/p', forbidden`,
    "Kubernetes Engine Service Agent",
  ],
  [
    `${BACKEND}error ensuring health check: googleapi: Error 403: Quota 'HEALTH_CHECKS' exceeded.  Limit: 50.0 globally., quotaExceeded`,
    "raise that quota",
  ],
  [
    `${BACKEND}error ensuring health check: googleapi: Error 403: Required 'compute.healthChecks.get' permission for 'projects/p/global/healthChecks/k8s1-x', forbidden`,
    "Kubernetes Engine Service Agent",
  ],
  [
    `${LB}Cert creation failures - k8s2-cr-x Error:googleapi: Error 403: Required 'compute.sslCertificates.create' permission for 'projects/p/global/sslCertificates/x', forbidden`,
    "Kubernetes Engine Service Agent",
  ],
  [
    `${TRANSLATE}failed to retrieve the system default backend service "kube-system/default-http-backend" with port "http": could not find service "kube-system/default-http-backend"`,
    "add-on off and on",
  ],
  [
    `${BACKEND}cloud armor security policies not supported for regional backend service k8s1-x`,
    "remove securityPolicy",
  ],
  [
    `${LB}ensureRedirectUrlMap() = error: cannot enable HTTPS Redirects with L7 ILB`,
    "remove redirectToHttps from the FrontendConfig",
  ],
  [
    `${LB}ensureRedirectUrlMap() = error: cannot enable HTTPS Redirects with the V1 Ingress naming scheme.  Please recreate your ingress to use the newest naming scheme.`,
    "set another ingress_name",
  ],
  [`${LB}error invalid internal ingress https config`, "set static_ip_name"],
  [
    `${LB}googleapi: Error 400: Invalid value for field 'resource.IPAddress': '203.0.113.7'. Specified IP address is in-use and would result in a conflict., invalid`,
    "a free address",
  ],
  [
    `${ROUTINE}Error: both global-static-ip and regional-static-ip cannot be specified`,
    "that another deployment set",
  ],
  [
    `${ROUTINE}invalid loadbalancer name 7kpbhpki-default-my.ingress-x, the resource name must comply with RFC1035 (https://www.ietf.org/rfc/rfc1035.txt)`,
    "without a dot",
  ],
  [
    `${BACKEND}Errored updating IAP Settings for service ns/m: Cannot switch to default OAuth once IAP credentials have been set`,
    "--no-iap",
  ],
  [
    `${BACKEND}googleapi: Error 400: Invalid value for field 'resource.connectionDraining.drainingTimeoutSec': '7200'. Must be less than or equal to 3600, invalid`,
    "backend_config",
  ],
  [
    `${LB}googleapi: Error 400: Invalid value for field 'resource.target': 'projects/p/regions/r/targetHttpsProxies/x'. An active proxy-only subnetwork is required in the same region and VPC as the forwarding rule., invalid`,
    "create a proxy-only subnet",
  ],
  [
    `${LB}googleapi: Error 412: Constraint constraints/compute.restrictLoadBalancerCreationForTypes violated for projects/p. Forwarding Rule projects/p/global/forwardingRules/x of type GLOBAL_EXTERNAL_HTTP_HTTPS is not allowed., conditionNotMet`,
    "GLOBAL_EXTERNAL_HTTP_HTTPS",
  ],
  [
    `${BACKEND}error ensuring health check: googleapi: Error 412: Operation denied by custom org policies: ["customConstraints/custom.slowProbes": "probe every 30 s"]., conditionNotMet`,
    "administrator of organisation policies",
  ],
  [
    `${LB}googleapi: Error 412: The request is denied by organization policy., conditionNotMet`,
    "administrator",
  ],
  [
    `${LB}googleapi: Error 403: Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x, vpcServiceControls`,
    "service perimeter",
  ],
  [
    `${BACKEND}googleapi: Error 403: Compute Engine API has not been used in project 1 before or it is disabled. Enable it and retry., accessNotConfigured`,
    "gcloud services enable compute.googleapis.com",
  ],
  [
    `${BACKEND}googleapi: Error 403: This API method requires billing to be enabled., billingDisabled`,
    "billing account",
  ],
  [
    `${LB}UpdateURLMap: googleapi: Error 403: Exceeded limit 'URL_MAPS_HOST_RULES' on resource 'x'. Limit: 50.0, limitExceeded`,
    "raise that quota",
  ],
  [
    `${TRANSLATE}invalid value for Service annotation networking.gke.io/capacity-scaler, should be a number >= 0.0 and <= 1.0, got "2"`,
    "service.annotations",
  ],
  [
    `${TRANSLATE}error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service "ns/m", err: BackendConfig annotation is invalid json`,
    "changes the Service's annotations",
  ],
  [`${TRANSLATE}Ingress Backend is not a service`, "changes the Ingress"],
  [
    `Ingress class "gce" is not supported in this environment. Please use "gce-regional-external".`,
    "load_balancer: internal",
  ],
  [
    `${BACKEND}failed to set security policy from "" to "p" for backend service k8s1-x (ns/m:{19530}): googleapi: Error 400: Invalid value for field 'resource.securityPolicy': 'x'. The resource 'projects/p/global/securityPolicies/p' was not found, invalid`,
    "securityPolicy.name",
  ],
  [
    `${LB}googleapi: Error 404: The resource 'projects/p/global/sslPolicies/modern' was not found, notFound`,
    "sslPolicy in frontend_config",
  ],
  [`error processing service "ns/m": NEG annotation is invalid.`, "cloud.google.com/neg"],
  [
    `error processing service "ns/m": port 19531 specified in "cloud.google.com/neg" doesn't exist in the service`,
    "cloud.google.com/neg",
  ],
  [
    `error processing service "ns/m": configuration for negs in service (ns/m) is invalid, custom neg name cannot be used with ingress enabled`,
    "can't have one",
  ],
  [`error processing service "ns/m": NEG is not supported for ipv6 only service (*v1.Service)`, "ipFamilies"],
  [`error processing service "ns/m": network blue does not exist`, "networking.gke.io/network"],
  [
    `Failed to sync NEG "k8s1-x" (will retry): NEG k8s1-x in zone us-central1-a does not match network and subnetwork of the cluster`,
    "delete that group",
  ],
  [
    `Failed to sync NEG "k8s1-x" (will retry): googleapi: Error 403: Quota 'NETWORK_ENDPOINT_GROUPS' exceeded. Limit: 100.0 in region us-central1., quotaExceeded`,
    "raise that quota",
  ],
  [
    `Failed to Attach 1 network endpoint(s) (NEG "k8s1-x" in zone "us-central1-a"): googleapi: Error 403: Required 'compute.instances.use' permission for 'projects/p/zones/z/instances/i', forbidden`,
    "Kubernetes Engine Service Agent",
  ],
];

describe("diagnose returns a remedy", () => {
  test.each(LASTING)("%s", (message, remedy) => {
    expect(diagnose(message)?.remedy).toContain(remedy);
  });
});

const PASSING = [
  `${LB}googleapi: Error 404: The resource 'projects/p/global/sslCertificates/mcrt-1' was not found, notFound`,
  `${LB}invalid configuration: both HTTP and HTTPS are disabled (kubernetes.io/ingress.allow-http is false and there is no valid TLS configuration); your Ingress will not be able to serve any traffic`,
  "Error: no FrontendConfig for Ingress exists.",
  `${BACKEND}googleapi: Error 503: The service is currently unavailable., backendError`,
  `${BACKEND}error ensuring health check: googleapi: Error 500: Internal error, internalError`,
  `${LB}Cert creation failures - k8s2-cr-x Error:googleapi: Error 502: Bad Gateway`,
  `${BACKEND}error ensuring health check: googleapi: Error 403: Rate Limit Exceeded, rateLimitExceeded`,
  `${BACKEND}googleapi: Error 429: Quota exceeded for quota metric 'Queries' and limit 'Queries per minute', rateLimitExceeded`,
  `${BACKEND}error ensuring health check: googleapi: Error 400: The resource 'projects/p/global/healthChecks/k8s1-x' is not ready, resourceNotReady`,
  `${BACKEND}error ensuring health check: Get "https://compute.googleapis.com/compute/v1/projects/p/global/healthChecks/x?alt=json": context deadline exceeded`,
  `${LB}Cert creation failures - k8s2-cr-x Error:googleapi: Error 409: The resource 'projects/p/global/sslCertificates/k8s2-cr-x' already exists, alreadyExists`,
  `${LB}googleapi: Error 400: Invalid value for field 'resource.urlMap': 'projects/p/global/urlMaps/x'. The referenced resource is not ready., invalid`,
  `${LB}googleapi: Error 400: Invalid value for field 'resource.urlMap': 'projects/p/global/urlMaps/x'. The referenced resource was not found., invalid`,
  "ManagedCertificate ns:name missing",
  "",
  `${BACKEND}googleapi: Error 412: Invalid fingerprint., conditionNotMet`,
  `${BACKEND}googleapi: Error 412: The condition of the request is not met., conditionNotMet`,
  `${BACKEND}googleapi: Error 401: Request had invalid authentication credentials., authError`,
  `${BACKEND}googleapi: got HTTP response code 502 with body: <html>`,
  `${BACKEND}googleapi: Error 400: The url_map resource 'x' is already being used by 'y', resourceInUseByAnotherResource`,
  `${TRANSLATE}error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service "ns/m", err: client had error getting BackendConfig for service port.`,
  `Error during garbage collection: googleapi: got an answer that nobody knows`,
  "Entering degraded mode for NEG ns/m-k8s1-x due to sync err: endpoint has missing nodeName field",
  `Failed to retry NEG sync for "ns/m": retry handler is retrying`,
  `${ROUTINE}no backends found for backend service "k8s1-x"`,
];

const HARMLESS = [
  NO_GROUP,
  "Could not find any TLS certificates. Continuing setup for the load balancer to serve HTTP only.",
  "THC annotation present, but NEG is disabled. Will not enable Transparent Health Checks.",
  `Ignore zone pre-provisioning annotation err: incorrect value: zone "z" is not in the cluster's region zones: []`,
  "Ignoring ILB Service m, namespace ns as it does not have the v2 finalizer",
];

describe("diagnose returns nothing while waiting may help", () => {
  test.each([...PASSING, ...HARMLESS])("%s", (message) => {
    expect(diagnose(message)).toBeUndefined();
  });
});

test("the cause names the organisation policy", () => {
  const causeOf = (message: string) => diagnose(`${LB}googleapi: Error 412: ${message}`)?.cause;
  expect(causeOf("Constraint constraints/compute.disableGlobalLoadBalancing violated for projects/p")).toBe(
    "the organisation policy constraints/compute.disableGlobalLoadBalancing forbids it.",
  );
  expect(causeOf('Operation denied by custom org policies: ["customConstraints/custom.http": "no"].')).toBe(
    "the organisation policy customConstraints/custom.http forbids it.",
  );
});

test("only harmless texts explain nothing", () => {
  expect(HARMLESS.filter(isTelling)).toEqual([]);
  expect([...PASSING, ...LASTING.map(([message]) => message)].filter((text) => !isTelling(text))).toEqual([]);
});

test("each known text decides an example here", () => {
  const examples = [...LASTING.map(([message]) => message), ...PASSING, ...HARMLESS];
  const deciding = examples.map((message) => KNOWN_TEXTS.find(({ pattern }) => pattern.test(message)));
  expect(KNOWN_TEXTS.filter((known) => !deciding.includes(known)).map(({ source }) => source)).toEqual([]);
});

describe("lastingCause", () => {
  const CAUSE = `${TRANSLATE}could not find service "ns/n"`;

  function reported(...reports: [seconds: number, message: string][]): ControllerWarning[] {
    return reports.reduce<ControllerWarning[]>(
      (warnings, [seconds, message]) =>
        recordWarning(
          warnings,
          v.parse(Event, { metadata: { name: "e" }, involvedObject: {}, message }),
          seconds * 1000,
        ),
      [],
    );
  }

  test("recordWarning keeps each message once, the newest last", () => {
    expect(reported([0, NO_GROUP], [1, CAUSE], [2, NO_GROUP])).toEqual([
      { message: CAUSE, firstSeen: 1000, lastSeen: 1000 },
      { message: NO_GROUP, firstSeen: 0, lastSeen: 2000 },
    ]);
  });

  test("recordWarning doesn't change the list that it was given", () => {
    const before = reported([0, CAUSE]);
    recordWarning(
      before,
      v.parse(Event, { metadata: { name: "e" }, involvedObject: {}, message: CAUSE }),
      9000,
    );
    expect(before).toEqual([{ message: CAUSE, firstSeen: 0, lastSeen: 0 }]);
  });

  const quotaIn = (operation: string) =>
    `operation operation-${operation} DONE. Status: FORBIDDEN (403), errors: (QUOTA_EXCEEDED: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.)`;
  const lasting = LASTING_MS / 1000;
  test.each<[string, [number, string][], boolean]>([
    ["nothing at all", [], false],
    ["one report", [[0, CAUSE]], false],
    [
      "repeated within a moment",
      [
        [0, CAUSE],
        [0.01, CAUSE],
        [lasting - 0.001, CAUSE],
      ],
      false,
    ],
    [
      "repeated after a while",
      [
        [0, CAUSE],
        [lasting, CAUSE],
      ],
      true,
    ],
    [
      "repeated by another operation of Google's",
      [
        [0, quotaIn("1764-5a1")],
        [lasting, quotaIn("1765-5a2")],
      ],
      true,
    ],
    [
      "what every success begins with, however long",
      [
        [0, NO_GROUP],
        [600, NO_GROUP],
      ],
      false,
    ],
    [
      "beaten by what came after",
      [
        [0, CAUSE],
        [lasting, CAUSE],
        [lasting + 1, NO_GROUP],
      ],
      false,
    ],
    [
      "reported again after that",
      [
        [0, CAUSE],
        [1, NO_GROUP],
        [lasting, CAUSE],
      ],
      true,
    ],
    [
      "one cause after another",
      [
        [0, CAUSE],
        [lasting, `${ROUTINE}secrets "x" not found`],
      ],
      false,
    ],
  ])("%s", (_, reports, expected) => {
    expect(lastingCause(reported(...reports)) !== undefined).toBe(expected);
  });

  test("returns the controller's own text with the diagnosis", () => {
    expect(lastingCause(reported([0, CAUSE], [60, CAUSE]))).toEqual({
      warning: { message: CAUSE, firstSeen: 0, lastSeen: 60_000 },
      diagnosis: diagnose(CAUSE),
    });
  });
});
