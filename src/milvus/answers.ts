import type { TextSymptom } from "../base/symptom.ts";

/** HTTP 403 of a load balancer without allowed_ranges of ours. */
const REFUSED_RUNNER: TextSymptom = {
  id: "refused-runner",
  title: "7 PERMISSION_DENIED: Received HTTP status code 403",
  pattern: /^7 PERMISSION_DENIED/,
  verdict: "lasting",
  cause: "a Cloud Armor policy or Identity-Aware Proxy refuses this runner.",
  remedy:
    "a Cloud Armor policy or Identity-Aware Proxy refuses this runner (HTTP 403): admit its address, or set verify: false.",
  source: "HTTP 403 of the load balancer",
};
/** The same answer, where allowed_ranges is what refuses. */
const OUTSIDE_RANGES: TextSymptom = {
  ...REFUSED_RUNNER,
  id: "outside-allowed-ranges",
  title: "7 PERMISSION_DENIED: Received HTTP status code 403, with allowed_ranges",
  cause: "the runner's address isn't in allowed_ranges.",
  remedy:
    "allowed_ranges doesn't have the address by which this runner goes to the Internet (HTTP 403): add that address, take a runner with an address in those ranges, or set verify: false.",
};
/** The TLS handshake fails. */
export const OTHER_CERTIFICATE: TextSymptom = {
  id: "other-certificate",
  title: "self-signed certificate, unable to verify, Hostname/IP does not match certificate's altnames",
  pattern: /certificate|self.signed|altnames|SSL|TLS/i,
  verdict: "lasting",
  cause: "the load balancer presents another certificate than the one in the cluster.",
  remedy:
    "the load balancer presents another certificate than the one in the cluster: check that no other Ingress uses the address, and check the Secret that tls_secret names.",
  source: "the TLS handshake",
};

/** The load balancer answers that it can't talk to Milvus. */
export const BAD_GATEWAY: TextSymptom = {
  id: "bad-gateway",
  title: "14 UNAVAILABLE: Received HTTP status code 502",
  pattern: /HTTP status code 50[023]/,
  verdict: "lasting",
  cause: "Milvus doesn't speak TLS, or the load balancer doesn't speak HTTP/2 to it.",
  remedy:
    "the load balancer can't talk to Milvus: check that the pods run with common.security.tlsMode: 1 (ConfigMap, user.yaml) and that the Service's annotation cloud.google.com/app-protocols has HTTP2 for its gRPC port, by the port's name.",
  source: "HTTP 500, 502 or 503 of the load balancer",
};

/** Whatever nothing else explains. */
const NO_WAY: TextSymptom = {
  id: "no-way-to-load-balancer",
  title: "14 UNAVAILABLE, 4 DEADLINE_EXCEEDED",
  pattern: /(?:)/,
  verdict: "lasting",
  cause: "there is no way from this runner to the load balancer, or something drops the packets.",
  remedy:
    "check that this runner can reach the load balancer (a firewall, an internal address?). verify_address connects to another address, verify: false skips the check.",
  source: "connect(2), grpc-js",
};

/**
 * What answers instead of Milvus, by the text of grpc-js: `14 UNAVAILABLE: details`.
 * The first that shows counts.
 */
export const ANSWERS: readonly TextSymptom[] = [
  OTHER_CERTIFICATE,
  {
    id: "log-in",
    title: "Received HTTP status code 401, 407, 302",
    pattern: /HTTP status code (401|407|30\d)/,
    verdict: "lasting",
    cause: "something in front of Milvus asks for a log-in.",
    remedy:
      "Identity-Aware Proxy or another proxy in front of Milvus asks for a log-in that gRPC clients can't give: switch it off (iap in backend_config, HTTPS_PROXY of this runner), or set verify: false.",
    source: "HTTP 401, 407 or a redirect of the load balancer, or of a proxy",
  },
  {
    id: "refused-token",
    title: "16 UNAUTHENTICATED: auth check failure",
    pattern: /^16 UNAUTHENTICATED/,
    verdict: "lasting",
    cause: "the user or the password in milvus_token is wrong.",
    remedy: "Milvus refuses the token: check milvus_token.",
    source: "milvus, internal/proxy authentication_interceptor.go",
  },
  {
    id: "no-route",
    title: "12 UNIMPLEMENTED: Received HTTP status code 404",
    pattern: /^12 UNIMPLEMENTED/,
    verdict: "lasting",
    cause: "the load balancer has no rule for the host, or another load balancer answers.",
    remedy:
      "the load balancer has no route for this host name (HTTP 404): check that host is the one in the Ingress and that verify_address leads to this load balancer.",
    source: "HTTP 404 of GKE's default backend",
  },
  OUTSIDE_RANGES,
  REFUSED_RUNNER,
  BAD_GATEWAY,
  {
    id: "connection-refused",
    title: "14 UNAVAILABLE: ... ECONNREFUSED",
    pattern: /ECONNREFUSED/,
    verdict: "passing",
    cause: "nothing listens on port 443: the HTTPS rule isn't there yet, or the address is another one.",
    remedy:
      "nothing listens there: Google may still be bringing the HTTPS rule to its edges, then run again or raise backends_timeout. Otherwise check that verify_address, or a tunnel behind it, leads to the load balancer.",
    source: "connect(2)",
  },
  NO_WAY,
];

/**
 * Returns what an answer means that isn't Milvus's own.
 *
 * @param text the message of grpc-js's error
 * @param isLimited whether this action's allowed_ranges admit clients
 */
export function meaningOf(text: string, isLimited: boolean): TextSymptom {
  const possible = ANSWERS.filter((answer) => answer !== (isLimited ? REFUSED_RUNNER : OUTSIDE_RANGES));
  return possible.find(({ pattern }) => pattern.test(text)) ?? NO_WAY;
}
