import type { Event } from "../kubernetes/objects.ts";

/** A cause that waiting can't fix, and what to do about it. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

interface KnownWarning {
  /**
   * Matches the ingress controller's Warning (kubernetes/ingress-gce, pkg/controller/errors and
   * pkg/loadbalancers).
   */
  pattern: RegExp;
  cause: string;
  remedy: string;
}

/** Warnings that waiting can't fix. The controller retries after any other, and the wait goes on. */
const KNOWN_WARNINGS: readonly KnownWarning[] = [
  // These can interrupt any step, so they come first.
  {
    pattern: /Quota '[^']+' exceeded|QUOTA_EXCEEDED|quotaExceeded/,
    cause: "the Google Cloud project has used up a quota.",
    remedy: "raise that quota (IAM & Admin > Quotas) or delete what no longer needs it, then run again.",
  },
  {
    pattern: /Error 403: (?!.*[Qq]uota).*(permission|forbidden)/i,
    cause: "GKE's service agent may not change resources of the project.",
    remedy:
      "restore the role Kubernetes Engine Service Agent of service-PROJECT_NUMBER@container-engine-robot.iam.gserviceaccount.com.",
  },
  {
    pattern: /failed to retrieve the system default backend service/,
    cause: "the cluster has lost GKE's own default backend.",
    remedy:
      "restore the Service default-http-backend in the namespace kube-system: turning the cluster's HTTP load balancing add-on off and on recreates it.",
  },
  {
    pattern: /could not find service "/,
    cause: "the Service that the Ingress routes to doesn't exist.",
    remedy: "check release and namespace, and that nothing deletes the Service.",
  },
  {
    pattern: /could not find port "/,
    cause: "the Service doesn't have the port that the Ingress routes to.",
    remedy: "check the values service.port and service.portName.",
  },
  {
    pattern: /expected "NodePort" or "LoadBalancer" when not using NEGs/,
    cause: "the Service has lost its annotation cloud.google.com/neg.",
    remedy:
      "find out what removes the Service's annotations (another deployment of the release?) and run again.",
  },
  {
    pattern: /could not parse "service\.alpha\.kubernetes\.io\/app-protocols" annotation/,
    cause: "the Service's annotation cloud.google.com/app-protocols is malformed.",
    remedy:
      "find out what changes the Service's annotations (another deployment of the release?) and run again.",
  },
  {
    pattern: /no BackendConfig for service port exists|error getting BackendConfig/,
    cause: "the BackendConfig that the Service names doesn't exist in its namespace.",
    remedy: "check backend_config_name, and that nothing deletes the BackendConfig.",
  },
  {
    pattern: /BackendConfig \S+ is not valid/,
    cause: "Google's controller refuses the BackendConfig.",
    remedy: "correct the field that the Warning names.",
  },
  {
    pattern:
      /error ensuring health check: .*Error 400(?!.*not ?ready)|Protocol "[^"]*" is not valid, must be one of/i,
    cause: "Google refuses the health check that the BackendConfig describes.",
    remedy:
      "correct the BackendConfig's healthCheck: timeoutSec must be below checkIntervalSec, type one of HTTP, HTTPS, HTTP2.",
  },
  {
    pattern: /failed to validate prefix path/,
    cause: "a path of the Ingress has a wildcard.",
    remedy: "use the path / with pathType Prefix.",
  },
  {
    pattern: /secrets? "[^"]*" (not found|does not exist)/,
    cause: "the Secret with the load balancer's certificate doesn't exist.",
    remedy: "check tls_secret, and that nothing deletes the Secret; running again recreates it.",
  },
  {
    pattern: /does not specify (cert|private key) as string data/,
    cause: "the TLS Secret lacks tls.crt or tls.key.",
    remedy:
      "check what writes to the Secret that tls_secret names, or delete it: running again recreates it.",
  },
  {
    pattern: /Cert creation failures .*Error 400(?!.*not ?ready)/i,
    cause: "Google refuses the certificate.",
    remedy: "delete the Secret that tls_secret names, or put a valid PEM certificate with its key into it.",
  },
  {
    pattern: /the given static IP name .* doesn't translate to an existing static IP/,
    cause: "the reserved address that the Ingress names doesn't exist in the project, or is of another type.",
    remedy:
      "set static_ip_name to a global address (a regional one with load_balancer: internal), or create_static_ip: true.",
  },
  {
    pattern: /Specified IP address is in-use/,
    cause: "another load balancer uses the reserved address.",
    remedy:
      "set static_ip_name to a free address, or delete what uses this one (`gcloud compute addresses describe` shows it).",
  },
  {
    pattern: /both global-static-ip and regional-static-ip/,
    cause: "the Ingress names a global and a regional address.",
    remedy: "remove the annotation kubernetes.io/ingress.*-static-ip-name that another deployment set.",
  },
  {
    pattern: /invalid loadbalancer name .* RFC1035/,
    cause: "Google can't derive resource names from the Ingress's name.",
    remedy: "set ingress_name to a name without a dot.",
  },
  {
    pattern: /proxy-only subnet/,
    cause: "the network has no proxy-only subnet for an internal load balancer.",
    remedy:
      "have a network administrator create a proxy-only subnet (purpose REGIONAL_MANAGED_PROXY, role ACTIVE) in the cluster's region and network.",
  },
  {
    pattern: /securityPolicies\/\S+ was not found|security policy .* (not found|does not exist)/i,
    cause: "the Cloud Armor policy that the BackendConfig names doesn't exist.",
    remedy: "set securityPolicy.name in backend_config to a policy that exists in the project.",
  },
  {
    pattern: /cloud armor security policies not supported for regional/,
    cause: "an internal load balancer can't have a Cloud Armor policy.",
    remedy: "remove securityPolicy from the BackendConfig.",
  },
  {
    pattern: /cannot enable HTTPS Redirects with L7 ILB/,
    cause: "an internal load balancer can't redirect HTTP to HTTPS.",
    remedy: "remove redirectToHttps from the FrontendConfig.",
  },
  {
    pattern: /cannot enable HTTPS Redirects with the V1 Ingress naming scheme/,
    cause: "a load balancer with the old naming scheme can't redirect HTTP to HTTPS.",
    remedy:
      "set another ingress_name to create a new one beside it, or remove redirectToHttps from frontend_config.",
  },
  {
    pattern: /error invalid internal ingress https config/,
    cause: "HTTP and HTTPS of an internal load balancer can share only a reserved address.",
    remedy: "set static_ip_name, or allow_http: false.",
  },
  {
    pattern: /Errored updating IAP Settings/,
    cause: "Google's controller can't take its OAuth client from a backend service with IAP.",
    remedy:
      "set iap in backend_config with its former oauthclientCredentials, or turn IAP off with `gcloud compute backend-services update --global --no-iap`.",
  },
  {
    pattern: /sslPolicies\/\S+ was not found/,
    cause: "the SSL policy that the FrontendConfig names doesn't exist.",
    remedy: "set sslPolicy in frontend_config to a policy that exists in the project.",
  },
  {
    pattern: /Error 400: Invalid value for field (?!.*not ?(found|ready))/i,
    cause: "Google refuses a value.",
    remedy:
      "correct it: it comes from backend_config, frontend_config, or another object in the cluster that sets the same field.",
  },
];

/** Every new load balancer warns of this once: it is created before its network endpoint group exists. */
const NORMAL_AT_FIRST = /networkEndpointGroups\/\S+ was not found/;

/** Google's API failed or limits requests for a moment, whatever step it interrupted. */
const TRANSIENT = /\bError 5\d\d\b|rate ?limit ?exceeded/i;

/** Returns the diagnosis of one Warning's text, undefined if waiting may still help. */
export function diagnose(message: string): Diagnosis | undefined {
  if (TRANSIENT.test(message)) return undefined;
  const known = KNOWN_WARNINGS.find(({ pattern }) => pattern.test(message));
  return known && { cause: known.cause, remedy: known.remedy };
}

/** Tells whether a Warning explains a problem, unlike the one that every new load balancer shows. */
export function isTelling(message: string): boolean {
  return !NORMAL_AT_FIRST.test(message);
}

/** A Warning of Google's controllers, seen since the manifests were applied. */
export interface ControllerWarning {
  message: string;
  /** Milliseconds since the epoch, by this machine's clock. */
  firstSeen: number;
  lastSeen: number;
}

/**
 * A cause counts as lasting if it is reported again after this time, in milliseconds. The controller repeats
 * a lasting cause 5, 10, 20, ... ms after the first time, so this takes at most ten seconds. A single report
 * may come from an attempt that began before the cause was fixed.
 */
export const LASTING_MS = 5000;

/**
 * Returns the list of warnings with an event added. Texts that differ only in the name of a Google operation
 * are the same warning (gke-managed-certs, pkg/clients/ssl: `operation operation-... DONE. Status: ...`).
 */
export function recordWarning(
  warnings: readonly ControllerWarning[],
  event: Event,
  now: number,
): ControllerWarning[] {
  const masked = (message: string) => message.replace(/\boperation-\S+/g, "operation");
  const known = warnings.find(({ message }) => masked(message) === masked(event.message));
  const others = warnings.filter((warning) => warning !== known);
  return [...others, { message: event.message, firstSeen: known?.firstSeen ?? now, lastSeen: now }];
}

/** Returns the newest warning with its diagnosis if it lasts and waiting can't fix it. */
export function lastingCause(
  warnings: readonly ControllerWarning[],
): { warning: ControllerWarning; diagnosis: Diagnosis } | undefined {
  const newest = warnings.at(-1);
  const diagnosis = newest && diagnose(newest.message);
  if (!newest || !diagnosis || newest.lastSeen - newest.firstSeen < LASTING_MS) return undefined;
  return { warning: newest, diagnosis };
}
