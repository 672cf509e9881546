import { HARMLESS, type KnownText, lasting, PASSING } from "./known-text.ts";

/** What the ingress controller writes itself, into events of the Ingress (and of its Service, about health checks). */
export const INGRESS_TEXTS: readonly KnownText[] = [
  // Translation failed: invalid ingress spec: ...
  {
    source: "pkg/controller/translator TranslateIngress",
    pattern: /failed to retrieve the system default backend service/,
    verdict: lasting(
      "the cluster has lost GKE's own default backend.",
      "restore the Service default-http-backend in the namespace kube-system: turning the cluster's HTTP load balancing add-on off and on recreates it.",
    ),
  },
  {
    source: "pkg/controller/errors ErrSvcNotFound",
    pattern: /could not find service "/,
    verdict: lasting(
      "the Service that the Ingress routes to doesn't exist.",
      "check release and namespace, and that nothing deletes the Service.",
    ),
  },
  {
    source: "pkg/controller/errors ErrSvcPortNotFound",
    pattern: /could not find port "/,
    verdict: lasting(
      "the Service doesn't have the port that the Ingress routes to.",
      "check the values service.port and service.portName.",
    ),
  },
  {
    source: "pkg/controller/errors ErrBadSvcType",
    pattern: /expected "NodePort" or "LoadBalancer" when not using NEGs/,
    verdict: lasting(
      "the Service has lost its annotation cloud.google.com/neg.",
      "find out what removes the Service's annotations (another deployment of the release?) and run again.",
    ),
  },
  {
    source: "pkg/controller/errors ErrSvcAppProtosParsing",
    pattern: /could not parse "service\.alpha\.kubernetes\.io\/app-protocols" annotation/,
    verdict: lasting(
      "the Service's annotation cloud.google.com/app-protocols is malformed.",
      "find out what changes the Service's annotations (another deployment of the release?) and run again.",
    ),
  },
  {
    source: "pkg/controller/translator setTrafficScaling",
    pattern: /invalid value for Service annotation networking\.gke\.io\//,
    verdict: lasting(
      "an annotation of the Service about traffic is malformed.",
      "correct the annotation that the Warning names, in service.annotations of the input values.",
    ),
  },
  {
    source: "pkg/annotations ErrBackendConfigInvalidJSON",
    pattern: /BackendConfig annotation is invalid json|no BackendConfig's found in annotation/,
    verdict: lasting(
      "the Service's annotation cloud.google.com/backend-config is malformed.",
      "find out what changes the Service's annotations (another deployment of the release?) and run again.",
    ),
  },
  {
    source: "pkg/backendconfig ErrBackendConfigFailedToGet: the controller's own cache",
    pattern: /client had error getting BackendConfig/,
    verdict: PASSING,
  },
  {
    source: "pkg/controller/errors ErrSvcBackendConfig, pkg/backendconfig ErrBackendConfigDoesNotExist",
    pattern: /no BackendConfig for service port exists|error getting BackendConfig/,
    verdict: lasting(
      "the BackendConfig that the Service names doesn't exist in its namespace.",
      "check backend_config_name, and that nothing deletes the BackendConfig.",
    ),
  },
  {
    source: "pkg/controller/errors ErrBackendConfigValidation, pkg/backendconfig Validate",
    pattern: /BackendConfig \S+ is not valid/,
    verdict: lasting(
      "Google's controller refuses the BackendConfig.",
      "correct the field that the Warning names.",
    ),
  },
  {
    source: "pkg/controller/translator validateExactPathType, validateAndModifyPrefixPathType",
    pattern: /failed to validate (prefix|exact) path|unsupported path type/,
    verdict: lasting("Google can't serve a path of the Ingress.", "use the path / with pathType Prefix."),
  },
  {
    source: "pkg/utils BackendToServicePortID",
    pattern: /Ingress Backend is not a service/,
    verdict: lasting(
      "the Ingress routes to something that isn't a Service.",
      "find out what changes the Ingress (another controller?) and run again.",
    ),
  },
  // Error syncing to GCP: error running backend syncing routine: ...
  {
    source: "pkg/backends ensureHealthCheck, pkg/translator HealthCheck.merge",
    pattern: /error ensuring health check: .*Error 400|Protocol "[^"]*" is not valid, must be one of/i,
    verdict: lasting(
      "Google refuses the health check that the BackendConfig describes.",
      "correct the BackendConfig's healthCheck: timeoutSec must be below checkIntervalSec, type one of HTTP, HTTPS, HTTP2.",
    ),
  },
  {
    source: "pkg/backends/features EnsureSecurityPolicy, of a policy that Google doesn't find",
    pattern: /securityPolicies\/\S+ was not found|security policy .* (not found|does not exist)/i,
    verdict: lasting(
      "the Cloud Armor policy that the BackendConfig names doesn't exist.",
      "set securityPolicy.name in backend_config to a policy that exists in the project; with allowed_ranges, run again: it makes the policy.",
    ),
  },
  {
    source: "pkg/backends/features EnsureSecurityPolicy, pkg/composite SetSecurityPolicy",
    pattern: /cloud armor security policies not supported for regional/,
    verdict: lasting(
      "an internal load balancer can't have a Cloud Armor policy.",
      "remove securityPolicy from the BackendConfig.",
    ),
  },
  {
    source: "pkg/backends/features EnsureIAP",
    pattern: /Errored updating IAP Settings/,
    verdict: lasting(
      "Google's controller can't take its OAuth client from a backend service with IAP.",
      "set iap in backend_config with its former oauthclientCredentials, or turn IAP off with `gcloud compute backend-services update --global --no-iap`.",
    ),
  },
  // Error syncing to GCP: error running load balancer syncing routine: ...
  {
    source: "pkg/translator ToTLSCerts, NewEnv",
    pattern: /secrets? "[^"]*" (not found|does not exist)/,
    verdict: lasting(
      "the Secret with the load balancer's certificate doesn't exist.",
      "check tls_secret, and that nothing deletes the Secret; running again recreates it.",
    ),
  },
  {
    source: "pkg/controller toRuntimeInfo: follows a Warning that names the Secret",
    pattern: /Could not find any TLS certificates\. Continuing setup/,
    verdict: HARMLESS,
  },
  {
    source: "pkg/translator ToTLSCerts",
    pattern: /does not specify (cert|private key) as string data/,
    verdict: lasting(
      "the TLS Secret lacks tls.crt or tls.key.",
      "check what writes to the Secret that tls_secret names, or delete it: running again recreates it.",
    ),
  },
  {
    source: "pkg/loadbalancers createSslCertificates",
    pattern: /Cert creation failures .*Error 400/i,
    verdict: lasting(
      "Google refuses the certificate.",
      "delete the Secret that tls_secret names, or put a valid PEM certificate with its key into it.",
    ),
  },
  {
    source: "pkg/loadbalancers errAllProtocolsDisabled: a managed certificate is not attached yet",
    pattern: /both HTTP and HTTPS are disabled|invalid ingress frontend configuration/,
    verdict: PASSING,
  },
  {
    source:
      "pkg/frontendconfig ErrFrontendConfigDoesNotExist: the load balancer goes without one until it is there",
    pattern: /no FrontendConfig for Ingress exists/,
    verdict: PASSING,
  },
  {
    source: "pkg/loadbalancers getEffectiveIP",
    pattern: /the given static IP name .* doesn't translate to an existing static IP/,
    verdict: lasting(
      "the reserved address that the Ingress names doesn't exist in the project, or is of another type.",
      "set static_ip_name to a global address (a regional one with load_balancer: internal), or create_static_ip: true.",
    ),
  },
  {
    source: "pkg/loadbalancers checkForwardingRule, of an address that Google refuses",
    pattern: /Specified IP address is in-use/,
    verdict: lasting(
      "another load balancer uses the reserved address.",
      "set static_ip_name to a free address, or delete what uses this one (`gcloud compute addresses describe` shows it).",
    ),
  },
  {
    source: "pkg/annotations Ingress.StaticIPName",
    pattern: /both global-static-ip and regional-static-ip/,
    verdict: lasting(
      "the Ingress names a global and a regional address.",
      "remove the annotation kubernetes.io/ingress.*-static-ip-name that another deployment set.",
    ),
  },
  {
    source: "pkg/loadbalancers L7s.Ensure",
    pattern: /invalid loadbalancer name .* RFC1035/,
    verdict: lasting(
      "Google can't derive resource names from the Ingress's name.",
      "set ingress_name to a name without a dot.",
    ),
  },
  {
    source: "pkg/loadbalancers checkForwardingRule, of a network that Google refuses",
    pattern: /proxy-only subnet/,
    verdict: lasting(
      "the network has no proxy-only subnet for an internal load balancer.",
      "have a network administrator create a proxy-only subnet (purpose REGIONAL_MANAGED_PROXY, role ACTIVE) in the cluster's region and network.",
    ),
  },
  {
    source: "pkg/loadbalancers ensureRedirectURLMap",
    pattern: /cannot enable HTTPS Redirects with L7 ILB/,
    verdict: lasting(
      "an internal load balancer can't redirect HTTP to HTTPS.",
      "remove redirectToHttps from the FrontendConfig.",
    ),
  },
  {
    source: "pkg/loadbalancers ensureRedirectURLMap",
    pattern: /cannot enable HTTPS Redirects with the V1 Ingress naming scheme/,
    verdict: lasting(
      "a load balancer with the old naming scheme can't redirect HTTP to HTTPS.",
      "set another ingress_name to create a new one beside it, or remove redirectToHttps from frontend_config.",
    ),
  },
  {
    source: "pkg/loadbalancers L7.edgeHop, events Sync and WillNotConfigureFrontend",
    pattern:
      /error invalid internal ingress https config|must be configured with a static-ip to use both HTTP and HTTPS/,
    verdict: lasting(
      "HTTP and HTTPS of an internal load balancer can share only a reserved address.",
      "set static_ip_name, or allow_http: false.",
    ),
  },
  {
    source: "pkg/loadbalancers ensureSslPolicy, of a policy that Google doesn't find",
    pattern: /sslPolicies\/\S+ was not found/,
    verdict: lasting(
      "the SSL policy that the FrontendConfig names doesn't exist.",
      "set sslPolicy in frontend_config to a policy that exists in the project.",
    ),
  },
  {
    source: "pkg/controller NewLoadBalancerController, in clouds without global load balancers",
    pattern: /Ingress class "gce" is not supported in this environment/,
    verdict: lasting(
      "this cloud has no global external load balancer.",
      "set load_balancer: internal, or run Milvus on another cloud of Google's.",
    ),
  },
  {
    source: "pkg/backends Backends.Health: a new backend service has no health yet",
    pattern: /no backends found for backend service|error getting (health for backend|backend service)/,
    verdict: PASSING,
  },
  {
    source:
      "pkg/controller sync, event GarbageCollection: what the Ingress no longer needs stays a little longer",
    pattern: /^Error during garbage collection: /,
    verdict: PASSING,
  },
  {
    source:
      "pkg/controller sync, pkg/healthchecks emitTHCEvents: the BackendConfig says what the health check is",
    pattern: /THC annotation|Transparent Health Check/,
    verdict: HARMLESS,
  },
];
