import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Event } from "../../src/kubernetes/objects.ts";
import {
  type ControllerWarning,
  diagnose,
  LASTING_MS,
  lastingCause,
  recordWarning,
} from "../../src/loadbalancer/diagnosis.ts";

const TRANSLATE = "Translation failed: invalid ingress spec: ";
const SYNC = "Error syncing to GCP: ";
const BACKEND = `${SYNC}error running backend syncing routine: `;
const FRONT = `${SYNC}error running load balancer syncing routine: `;
const LB = `${FRONT}loadbalancer UID8-NS-my-release-milvus-HASH8 does not exist: `;
const NO_GROUP = `${BACKEND}googleapi: Error 404: The resource 'projects/p/zones/us-central1-a/networkEndpointGroups/k8s1-x' was not found, notFound`;

describe("diagnose returns a remedy", () => {
  test.each([
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
      `${FRONT}error initializing translator env: secrets "my-release-milvus-tls" not found`,
      "check tls_secret",
    ],
    [`${FRONT}secret "my-release-milvus-tls" does not specify cert as string data`, "tls_secret"],
    [`${FRONT}secret "my-release-milvus-tls" does not specify private key as string data`, "tls_secret"],
    [`${FRONT}error initializing translator env: secret "" does not exist`, "check tls_secret"],
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
      `${FRONT}Error: both global-static-ip and regional-static-ip cannot be specified`,
      "that another deployment set",
    ],
    [
      `${FRONT}invalid loadbalancer name 7kpbhpki-default-my.ingress-x, the resource name must comply with RFC1035 (https://www.ietf.org/rfc/rfc1035.txt)`,
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
  ])("%s", (message, remedy) => {
    expect(diagnose(message)?.remedy).toContain(remedy);
  });
});

describe("diagnose returns nothing while waiting may help", () => {
  test.each([
    NO_GROUP,
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
  ])("%s", (message) => {
    expect(diagnose(message)).toBeUndefined();
  });
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
        [lasting, `${FRONT}secrets "x" not found`],
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
