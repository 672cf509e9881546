import type { Event } from "../kubernetes/objects.ts";

/** What ails a load balancer that will not mend by waiting. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

interface Symptom {
  /** What the ingress controller's Warning says (kubernetes/ingress-gce, pkg/controller/errors and pkg/loadbalancers). */
  pattern: RegExp;
  cause: string;
  remedy: string;
}

/** Warnings that only someone can mend. Anything else the controller goes on trying, and so does the wait. */
const SYMPTOMS: readonly Symptom[] = [
  // Whatever it was that they interrupted.
  {
    pattern: /Quota '[^']+' exceeded|QUOTA_EXCEEDED|quotaExceeded/,
    cause: "the Google Cloud project has used up a quota.",
    remedy: "raise that quota (IAM & Admin > Quotas) or delete what no longer needs it, then run again.",
  },
  {
    pattern: /Error 403: (?!.*[Qq]uota).*(permission|forbidden)/i,
    cause: "GKE's service agent may not change a resource of the project.",
    remedy:
      "restore the role Kubernetes Engine Service Agent of service-PROJECT_NUMBER@container-engine-robot.iam.gserviceaccount.com.",
  },
  {
    pattern: /failed to retrieve the system default backend service/,
    cause: "the cluster has lost GKE's own default backend.",
    remedy:
      "restore the Service default-http-backend of the namespace kube-system: turning the cluster's HTTP load balancing add-on off and on makes it anew.",
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
    remedy: "correct what it names.",
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
    remedy: "check tls_secret, and that nothing deletes the Secret; running again makes it anew.",
  },
  {
    pattern: /does not specify (cert|private key) as string data/,
    cause: "the TLS Secret lacks tls.crt or tls.key.",
    remedy:
      "check what writes to the Secret that tls_secret names, or delete it: running again makes it anew.",
  },
  {
    pattern: /Cert creation failures .*Error 400(?!.*not ?ready)/i,
    cause: "Google refuses the certificate.",
    remedy: "delete the Secret that tls_secret names, or put a valid PEM certificate with its key into it.",
  },
  {
    pattern: /the given static IP name .* doesn't translate to an existing static IP/,
    cause: "the reserved address that the Ingress names doesn't exist in the project, or is of another kind.",
    remedy:
      "set static_ip_name to a global address (a regional one with load_balancer: internal), or create_static_ip: true.",
  },
  {
    pattern: /Specified IP address is in-use/,
    cause: "another load balancer has the reserved address.",
    remedy:
      "set static_ip_name to an address that is free, or delete what uses this one (`gcloud compute addresses describe` shows it).",
  },
  {
    pattern: /both global-static-ip and regional-static-ip/,
    cause: "the Ingress names a global and a regional address.",
    remedy:
      "remove the annotation kubernetes.io/ingress.*-static-ip-name that this action has not set: another deployment has.",
  },
  {
    pattern: /invalid loadbalancer name .* RFC1035/,
    cause: "Google's names can't be made from the Ingress's.",
    remedy: "set ingress_name to a name without a dot.",
  },
  {
    pattern: /proxy-only subnet/,
    cause: "the network has no room for an internal load balancer's proxies.",
    remedy:
      "have a proxy-only subnet (purpose REGIONAL_MANAGED_PROXY, role ACTIVE) made in the cluster's region and network.",
  },
  {
    pattern: /securityPolicies\/\S+ was not found|security policy .* (not found|does not exist)/i,
    cause: "the Cloud Armor policy that the BackendConfig names doesn't exist.",
    remedy: "set securityPolicy.name in backend_config to one that exists in the project.",
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
    cause: "a load balancer that was made long ago can't redirect HTTP to HTTPS.",
    remedy:
      "set another ingress_name, which makes a new one beside it, or remove redirectToHttps from frontend_config.",
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
      "set iap in backend_config with the oauthclientCredentials that it had, or turn IAP off with `gcloud compute backend-services update --global --no-iap`.",
  },
  {
    pattern: /sslPolicies\/\S+ was not found/,
    cause: "the SSL policy that the FrontendConfig names doesn't exist.",
    remedy: "set sslPolicy in frontend_config to one that exists in the project.",
  },
  {
    pattern: /Error 400: Invalid value for field (?!.*not ?(found|ready))/i,
    cause: "Google refuses a value.",
    remedy:
      "correct it: it comes from backend_config, frontend_config, or what else says the like in the cluster.",
  },
];

/** What every success begins with: the load balancer is made before the group of endpoints is there. */
const PRELUDE = /networkEndpointGroups\/\S+ was not found/;

/** Google's own troubles, whatever they interrupted: its API has failed, or takes no more requests for a moment. */
const PASSING = /\bError 5\d\d\b|rate ?limit ?exceeded/i;

/** Returns the diagnosis of one Warning's text, undefined when waiting may still mend it. */
export function diagnose(message: string): Diagnosis | undefined {
  if (PASSING.test(message)) return undefined;
  const symptom = SYMPTOMS.find(({ pattern }) => pattern.test(message));
  return symptom && { cause: symptom.cause, remedy: symptom.remedy };
}

/** Tells a Warning that explains something from the one that precedes every success. */
export function isTelling(message: string): boolean {
  return !PRELUDE.test(message);
}

/** A Warning that was seen since the manifests were applied. */
export interface ControllerWarning {
  message: string;
  /** Milliseconds since the epoch, by this machine's clock. */
  firstSeen: number;
  lastSeen: number;
}

/**
 * A cause must have been reported again after this time to count as lasting. The controller repeats a cause that
 * lasts 5, 10, 20, ... ms after the first time, so a lasting one is known within ten seconds, while one report alone
 * may come from an attempt that began before the cause was mended.
 */
export const LASTING_MS = 5000;

/**
 * Records an event in the list of warnings; returns the new list. What Google's operations are called doesn't tell them
 * apart (gke-managed-certs, pkg/clients/ssl: `operation operation-... DONE. Status: ...`).
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

/** Returns the newest warning that only someone can mend and that has lasted, with its diagnosis. */
export function lastingCause(
  warnings: readonly ControllerWarning[],
): { warning: ControllerWarning; diagnosis: Diagnosis } | undefined {
  const newest = warnings.at(-1);
  const diagnosis = newest && diagnose(newest.message);
  if (!newest || !diagnosis || newest.lastSeen - newest.firstSeen < LASTING_MS) return undefined;
  return { warning: newest, diagnosis };
}
