import { type Given, type Lab, secretData } from "../integration/support/ingress-lab.ts";

/** What the real controllers wrote when something was done to an Ingress. */
export interface Scenario {
  name: string;
  given: Given;
  /** What is done once the Ingress is there; returns when the end of the trace is reached. */
  play(lab: Lab): Promise<void>;
  /** All events of the Ingress, each once, in the order of their first appearance. */
  events: string[];
  /** All changes of the Ingress up to that point, in order. */
  changes: string[];
  /** Switched on or set for all Ingresses, so that the scenario is played alone. */
  alone?: "ssl-certificate-quota" | "backend-service-quota" | "unhealthy-backends" | "slow-inserts";
}

const FINALIZER = "finalizer networking.gke.io/ingress-finalizer-V2";
const SYNC = "Warning Sync: Error syncing to GCP: error running";
const BACKENDS = `${SYNC} backend syncing routine:`;
const LOAD_BALANCER = `${SYNC} load balancer syncing routine:`;
const NO_LOAD_BALANCER = `${LOAD_BALANCER} loadbalancer LB does not exist:`;
const TRANSLATE = "Warning Translate: Translation failed: invalid ingress spec:";

const NO_NEG = `${BACKENDS} googleapi: Error 404: The resource 'projects/my-project/zones/us-central1-a/networkEndpointGroups/NEG' was not found, notFound`;
const NO_PROTOCOL = `${NO_LOAD_BALANCER} invalid configuration: both HTTP and HTTPS are disabled (kubernetes.io/ingress.allow-http is false and there is no valid TLS configuration); your Ingress will not be able to serve any traffic`;
const NO_SECRET = `${LOAD_BALANCER} error initializing translator env: secrets "my-release-milvus-tls" not found`;
const URL_MAP = 'Normal Sync: UrlMap "k8s2-um-LB" created';
const HTTP_PROXY = 'Normal Sync: TargetProxy "k8s2-tp-LB" created';
const HTTP_RULE = 'Normal Sync: ForwardingRule "k8s2-fr-LB" created';
const HTTPS_PROXY = 'Normal Sync: TargetProxy "k8s2-ts-LB" created';
export const HTTPS_RULE = 'Normal Sync: ForwardingRule "k8s2-fs-LB" created';
const ADDRESS = "Normal IPChanged: IP is now ADDRESS";
const HTTPS_EVENTS = [URL_MAP, HTTPS_PROXY, HTTPS_RULE, ADDRESS];

const backends = (state: string) => `backends={"DEFAULT":"${state}","NEG":"${state}"}`;
const https = (certificate: string) =>
  `https-forwarding-rule=k8s2-fs-LB https-target-proxy=k8s2-ts-LB ssl-cert=${certificate}`;
const FROM_SECRET = "k8s2-cr-UID8-HASH16-HASH16";
const httpsAnnotations = (certificate: string, state = "HEALTHY") =>
  `${backends(state)} ${https(certificate)} url-map=k8s2-um-LB`;
const HTTPS_CHANGES = [FINALIZER, "address", httpsAnnotations(FROM_SECRET)];
const HTTP_ANNOTATIONS = `${backends("HEALTHY")} forwarding-rule=k8s2-fr-LB target-proxy=k8s2-tp-LB url-map=k8s2-um-LB`;

const ALLOW_HTTP = { "kubernetes.io/ingress.allow-http": null };
const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const STATIC_IP = "kubernetes.io/ingress.global-static-ip-name";
const PROTOCOLS = "cloud.google.com/app-protocols";
const NEG = "cloud.google.com/neg";

/** The backoff's steps in ten seconds: the first wait is 5 ms, each further one twice as long. */
const TEN_SECONDS = 12;

const addressKnown = (lab: Lab) => lab.until(() => lab.address !== undefined && lab.count(ADDRESS) > 0);
const finished = (lab: Lab) => lab.until(() => lab.statusAnnotation("backends") !== undefined);

/** The end of every success: status, event and annotations are there, in whatever order. */
async function success(lab: Lab): Promise<void> {
  await addressKnown(lab);
  await finished(lab);
}

/** Resolves when tries have failed as often as in ten real seconds. */
async function failures(lab: Lab, ...lines: string[]): Promise<void> {
  await lab.until(() => lines.reduce((sum, line) => sum + lab.count(line), 0) >= TEN_SECONDS);
}

function addCertificate(lab: Lab, name: string): void {
  lab.cloud.sslCertificates.set(name, { name, ...lab.keyPairs[0] });
}

/** A scenario that fails until something is mended, and then succeeds. */
function mended(
  name: string,
  given: Given,
  failure: string,
  mend: (lab: Lab) => Promise<void> | void,
  rest: Partial<Scenario> = {},
): Scenario {
  return {
    name,
    given,
    async play(lab) {
      await failures(lab, NO_NEG, failure);
      await mend(lab);
      await success(lab);
    },
    events: [failure, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
    ...rest,
  };
}

/** A scenario that fails and is left so. */
function failing(name: string, given: Given, events: string[]): Scenario {
  return { name, given, play: (lab) => failures(lab, ...events), events, changes: [FINALIZER] };
}

export const SCENARIOS: Scenario[] = [
  {
    name: "works: TLS secret, allow-http false",
    given: {},
    play: success,
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  {
    name: "pre-shared-cert present from the start, no spec.tls, allow-http false",
    given: { secret: "missing", spec: { tls: false }, ingress: { [PRE_SHARED]: "mcrt-1" } },
    async play(lab) {
      addCertificate(lab, "mcrt-1");
      await success(lab);
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: [FINALIZER, "address", httpsAnnotations("mcrt-1")],
  },
  mended(
    "managed certificate with allow-http false: the pre-shared-cert annotation arrives later",
    { secret: "missing", spec: { tls: false } },
    NO_PROTOCOL,
    async (lab) => {
      addCertificate(lab, "mcrt-2");
      await lab.annotateIngress({ [PRE_SHARED]: "mcrt-2" });
    },
    {
      events: [NO_NEG, NO_PROTOCOL, ...HTTPS_EVENTS],
      changes: [FINALIZER, "address", httpsAnnotations("mcrt-2")],
    },
  ),
  {
    name: "the same with allow-http true: address by HTTP, HTTPS with the certificate, which is then taken away",
    given: { secret: "missing", spec: { tls: false }, ingress: ALLOW_HTTP },
    async play(lab) {
      await success(lab);
      addCertificate(lab, "mcrt-3");
      await lab.annotateIngress({ [PRE_SHARED]: "mcrt-3" });
      await lab.until(() => lab.statusAnnotation("ssl-cert") === "mcrt-3" && lab.count(HTTPS_RULE) > 0);
      await lab.annotateIngress({ [PRE_SHARED]: null });
      await lab.until(() => lab.statusAnnotation("ssl-cert") === undefined);
    },
    events: [NO_NEG, URL_MAP, HTTP_PROXY, HTTP_RULE, ADDRESS, HTTPS_PROXY, HTTPS_RULE],
    changes: [
      FINALIZER,
      "address",
      HTTP_ANNOTATIONS,
      `${https("mcrt-3")} static-ip=k8s2-fr-LB`,
      "-https-forwarding-rule -https-target-proxy -ssl-cert",
    ],
  },
  mended(
    "pre-shared-cert names a certificate that exists only later",
    { secret: "missing", spec: { tls: false }, ingress: { [PRE_SHARED]: "mcrt-4" } },
    `${NO_LOAD_BALANCER} googleapi: Error 404: The resource 'projects/my-project/global/sslCertificates/mcrt-4' was not found, notFound`,
    (lab) => addCertificate(lab, "mcrt-4"),
    {
      events: [
        NO_NEG,
        URL_MAP,
        `${NO_LOAD_BALANCER} googleapi: Error 404: The resource 'projects/my-project/global/sslCertificates/mcrt-4' was not found, notFound`,
        HTTPS_PROXY,
        HTTPS_RULE,
        ADDRESS,
      ],
      changes: [FINALIZER, "address", httpsAnnotations("mcrt-4")],
    },
  ),
  mended(
    "Service missing, created later",
    { spec: { service: "other-milvus" } },
    `${TRANSLATE} could not find service "NS/other-milvus"`,
    (lab) => lab.createService("other-milvus"),
    { events: [`${TRANSLATE} could not find service "NS/other-milvus"`, NO_NEG, ...HTTPS_EVENTS] },
  ),
  mended(
    "wrong port number, mended later",
    { spec: { port: 19531 } },
    `${TRANSLATE} could not find port "&ServiceBackendPort{Name:,Number:19531,}" in service "NS/my-release-milvus"`,
    (lab) =>
      lab.patchIngress({
        spec: {
          rules: [
            {
              host: "my-release.milvus.io",
              http: {
                paths: [
                  {
                    path: "/",
                    pathType: "Prefix",
                    backend: { service: { name: "my-release-milvus", port: { number: 19530 } } },
                  },
                ],
              },
            },
          ],
        },
      }),
    {
      events: [
        `${TRANSLATE} could not find port "&ServiceBackendPort{Name:,Number:19531,}" in service "NS/my-release-milvus"`,
        NO_NEG,
        ...HTTPS_EVENTS,
      ],
    },
  ),
  mended(
    "neg annotation missing on a ClusterIP Service, added later",
    { service: { [NEG]: null } },
    `${TRANSLATE} service "NS/my-release-milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs`,
    (lab) => lab.annotateService({ [NEG]: '{"ingress":true}' }),
    {
      events: [
        `${TRANSLATE} service "NS/my-release-milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs`,
        NO_NEG,
        ...HTTPS_EVENTS,
      ],
    },
  ),
  mended(
    "BackendConfig missing, created later",
    { backendConfig: "missing" },
    `${TRANSLATE} error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service "NS/my-release-milvus", err: no BackendConfig for service port exists.`,
    (lab) => lab.createBackendConfig(),
  ),
  mended(
    "app-protocols malformed, mended later",
    { service: { [PROTOCOLS]: '{"milvus":HTTP2}' } },
    `${TRANSLATE} could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "NS/my-release-milvus", err: invalid character 'H' looking for beginning of value`,
    (lab) => lab.annotateService({ [PROTOCOLS]: '{"milvus":"HTTP2"}' }),
  ),
  failing("app-protocols with a lower-case protocol", { service: { [PROTOCOLS]: '{"milvus":"http2"}' } }, [
    `${TRANSLATE} could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "NS/my-release-milvus", err: invalid port application protocol: http2`,
  ]),
  {
    name: "app-protocols names a port that does not exist: no event, everything looks healthy",
    given: { service: { [PROTOCOLS]: '{"grpc":"HTTP2"}' } },
    play: success,
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  mended(
    "TLS Secret missing, created later, Ingress not touched",
    { secret: "missing" },
    NO_SECRET,
    (lab) => lab.createSecret(),
    { events: [NO_NEG, NO_SECRET, ...HTTPS_EVENTS] },
  ),
  mended(
    "TLS Secret missing, created later, Ingress touched",
    { secret: "missing" },
    NO_SECRET,
    async (lab) => {
      await lab.createSecret();
      await lab.touch();
    },
    { events: [NO_NEG, NO_SECRET, ...HTTPS_EVENTS] },
  ),
  failing("Secret without tls.crt", { secret: { other: "x" } }, [
    NO_NEG,
    `${LOAD_BALANCER} secret "my-release-milvus-tls" does not specify cert as string data`,
  ]),
  failing("Secret with bad PEM", { secret: { "tls.crt": "no PEM", "tls.key": "no PEM" } }, [
    NO_NEG,
    URL_MAP,
    `${NO_LOAD_BALANCER} Cert creation failures - k8s2-cr-UID8-HASH16-HASH16 Error:googleapi: Error 400: The SSL certificate could not be parsed., sslCertificateCouldNotParseCert`,
  ]),
  mended(
    "static address name that does not exist, created later",
    { ingress: { [STATIC_IP]: "my-release-ip" } },
    `${NO_LOAD_BALANCER} the given static IP name my-release-ip doesn't translate to an existing static IP.`,
    (lab) => {
      lab.cloud.reserveAddress("my-release-ip");
    },
    {
      events: [
        NO_NEG,
        URL_MAP,
        HTTPS_PROXY,
        `${NO_LOAD_BALANCER} the given static IP name my-release-ip doesn't translate to an existing static IP.`,
        HTTPS_RULE,
        ADDRESS,
      ],
    },
  ),
  {
    name: "static address that exists",
    given: { ingress: { [STATIC_IP]: "reserved-ip" } },
    async play(lab) {
      await success(lab);
      await lab.until(() => lab.address === lab.cloud.staticAddresses.get("reserved-ip"));
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  mended(
    "SSL certificate quota used up for a while",
    {},
    `${NO_LOAD_BALANCER} Cert creation failures - k8s2-cr-UID8-HASH16-HASH16 Error:googleapi: Error 403: QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.`,
    (lab) => lab.cloud.setFault("ssl-certificate-quota", false),
    {
      alone: "ssl-certificate-quota",
      events: [
        NO_NEG,
        URL_MAP,
        `${NO_LOAD_BALANCER} Cert creation failures - k8s2-cr-UID8-HASH16-HASH16 Error:googleapi: Error 403: QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.`,
        HTTPS_PROXY,
        HTTPS_RULE,
        ADDRESS,
      ],
    },
  ),
  mended(
    "backend service quota used up for a while",
    {},
    `${BACKENDS} googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded. Limit: 5.0 globally., quotaExceeded`,
    (lab) => lab.cloud.setFault("backend-service-quota", false),
    { alone: "backend-service-quota" },
  ),
  {
    name: "ingressClassName gce without the annotation; the annotation later",
    given: { ingress: { "kubernetes.io/ingress.class": null }, spec: { className: "gce" } },
    async play(lab) {
      await lab.settle();
      if (lab.recording().changes.length > 0) throw new Error("the Ingress was not left alone");
      await lab.annotateIngress({ "kubernetes.io/ingress.class": "gce" });
      await success(lab);
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  mended(
    "BackendConfig with checkIntervalSec 5 and no timeoutSec; mended later",
    { backendConfig: { healthCheck: { checkIntervalSec: 5, port: 9091, type: "HTTP" } } },
    `${BACKENDS} error ensuring health check: googleapi: Error 400: Invalid value for field 'resource.timeoutSec': '15'. TimeoutSec should be less than checkIntervalSec., invalid`,
    (lab) => lab.patchBackendConfig({ healthCheck: { timeoutSec: 5 } }),
  ),
  {
    name: "FrontendConfig missing",
    given: { ingress: { "networking.gke.io/v1beta1.FrontendConfig": "no-such" } },
    async play(lab) {
      await success(lab);
      await failures(lab, NO_NEG, "Warning Sync: Error: no FrontendConfig for Ingress exists.");
    },
    events: [NO_NEG, "Warning Sync: Error: no FrontendConfig for Ingress exists.", ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  failing("path /* with Prefix", { spec: { path: "/*" } }, [
    `${TRANSLATE} failed to validate prefix path /* due to invalid wildcard`,
  ]),
  {
    name: "backends unhealthy at first, healthy later, Ingress touched after that",
    alone: "unhealthy-backends",
    given: {},
    async play(lab) {
      await success(lab);
      // The controller's own writes cause one more sync.
      await lab.settle();
      lab.cloud.setFault("unhealthy-backends", false);
      await lab.settle();
      if (!lab.statusAnnotation("backends")?.includes("UNHEALTHY"))
        throw new Error("refreshed without a sync");
      await lab.touch();
      await lab.until(() => lab.statusAnnotation("backends")?.includes("UNHEALTHY") === false);
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: [FINALIZER, "address", httpsAnnotations(FROM_SECRET, "UNHEALTHY"), backends("HEALTHY")],
  },
  {
    name: "TLS Secret rotated, Ingress touched later",
    given: {},
    async play(lab) {
      await success(lab);
      // A sync that is still under way would read the Secret of after the rotation.
      await lab.settle();
      const before = lab.statusAnnotation("ssl-cert");
      await lab.rotateSecret();
      await lab.settle();
      if (lab.statusAnnotation("ssl-cert") !== before) throw new Error("the Secret is watched");
      await lab.touch();
      await lab.until(() => lab.statusAnnotation("ssl-cert") !== before);
      await lab.until(() => lab.count('Normal Sync: TargetProxy "k8s2-ts-LB" certs updated') > 0);
    },
    events: [NO_NEG, ...HTTPS_EVENTS, 'Normal Sync: TargetProxy "k8s2-ts-LB" certs updated'],
    changes: [...HTTPS_CHANGES, `ssl-cert=${FROM_SECRET}`],
  },
  {
    name: "every insert at Google is slow: the NEG is there before it is looked for",
    alone: "slow-inserts",
    given: {},
    play: success,
    events: HTTPS_EVENTS,
    changes: HTTPS_CHANGES,
  },
  failing("deletion of an Ingress that never worked", { secret: "missing" }, [NO_NEG, NO_SECRET]),
  {
    name: "namespace deleted",
    given: {},
    async play(lab) {
      await success(lab);
      await lab.deleteNamespace();
      await lab.until(() => !lab.hasIngress);
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  {
    name: "TLS Secret missing with HTTP allowed: not even the URL map",
    given: { secret: "missing", ingress: ALLOW_HTTP },
    play: (lab) => failures(lab, NO_NEG, NO_SECRET),
    events: [NO_NEG, NO_SECRET],
    changes: [FINALIZER],
  },
  {
    name: "TLS Secret gone after success: address and annotations stay",
    given: {},
    async play(lab) {
      await success(lab);
      await lab.deleteSecret();
      await lab.touch();
      await lab.until(() => lab.count(NO_SECRET) > 3);
      if (!lab.loadBalancer) throw new Error("the load balancer is gone");
    },
    events: [NO_NEG, ...HTTPS_EVENTS, NO_SECRET],
    changes: HTTPS_CHANGES,
  },
  {
    name: "class changed to another one: the load balancer goes, status and annotations stay behind",
    given: {},
    async play(lab) {
      await success(lab);
      await lab.annotateIngress({ "kubernetes.io/ingress.class": "nginx" });
      await lab.until(() => lab.recording().changes.includes("finalizer"));
      if (lab.loadBalancer) throw new Error("the load balancer is still there");
      if (!lab.address || !lab.statusAnnotation("url-map")) throw new Error("the stale status is gone");
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: [...HTTPS_CHANGES, "finalizer"],
  },
  {
    name: "Service, Secret and BackendConfig deleted first do not block the deletion",
    given: {},
    async play(lab) {
      await success(lab);
      await lab.deleteService();
      await lab.settle();
      await Promise.all([lab.deleteSecret(), lab.deleteBackendConfig()]);
    },
    events: [NO_NEG, ...HTTPS_EVENTS],
    changes: HTTPS_CHANGES,
  },
  {
    name: "events are rationed: after 25 of a type an address appears without any",
    given: { secret: "missing" },
    async play(lab) {
      // Touches that follow each other closely may end in one try.
      const warnings = () => lab.count(NO_NEG) + lab.count(NO_SECRET);
      for (let touches = 0; touches < 30 || warnings() < 25; touches += 1) await lab.touch(String(touches));
      await lab.createSecret(secretData(lab.keyPairs[0]));
      await lab.touch("last");
      await finished(lab);
      await lab.settle();
    },
    events: [NO_NEG, NO_SECRET],
    changes: HTTPS_CHANGES,
  },
  failing(
    "BackendConfig with a lower-case health check type",
    { backendConfig: { healthCheck: { type: "http" } } },
    [
      `${BACKENDS} error ensuring health check: Protocol "http" is not valid, must be one of ["HTTP","HTTPS","HTTP2"]`,
    ],
  ),
];
