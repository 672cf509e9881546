import { PASSING } from "../../base/symptom.ts";
import type { Diagnosis, KnownText } from "./known-text.ts";

// The controllers pass Google's errors on in two forms (google.golang.org/api/googleapi, Error.Error;
// k8s-cloud-provider, pkg/cloud/op.go):
// - `googleapi: Error STATUS: MESSAGE, REASON`: a request was refused;
// - `googleapi: Error STATUS: CODE - MESSAGE`: an operation failed later.

/**
 * Google's API fails, or limits requests, for a moment. Any step can meet these,
 * so they are looked for first.
 */
export const PASSING_ERRORS: readonly KnownText[] = [
  {
    id: "google-unavailable",
    title: "googleapi: Error 500, 502, 503",
    source: "googleapi 5xx",
    pattern: /\b(Error|response code) 5\d\d\b/,
    ...PASSING,
    cause: "Google's API fails for a moment.",
  },
  {
    id: "google-rate-limit",
    title: "rateLimitExceeded, Error 429",
    source: "googleapi 403 or 429 rateLimitExceeded, userRateLimitExceeded",
    pattern: /rate ?limit ?exceeded|\b(Error|response code) 429\b/i,
    ...PASSING,
    cause: "Google limits the rate of requests.",
  },
  {
    id: "google-not-ready",
    title: "resourceNotReady",
    source: "googleapi 400 resourceNotReady, RESOURCE_NOT_READY",
    pattern: /resourceNotReady|RESOURCE_NOT_READY|Error 400: .*not ?ready/i,
    ...PASSING,
    cause: "Google is still making what is referred to.",
  },
  {
    id: "google-in-use",
    title: "resourceInUseByAnotherResource",
    source: "googleapi 400 resourceInUseByAnotherResource",
    pattern: /resourceInUseByAnotherResource|RESOURCE_IN_USE_BY_ANOTHER_RESOURCE/,
    ...PASSING,
    cause: "an earlier deletion hasn't ended.",
  },
  {
    id: "google-already-exists",
    title: "googleapi: Error 409",
    source: "googleapi 409 alreadyExists, resourceInUse",
    pattern: /\bError 409\b/,
    ...PASSING,
    cause: "two workers of the controller met.",
  },
  {
    id: "google-token",
    title: "googleapi: Error 401",
    source: "googleapi 401 authError",
    pattern: /\b(Error|response code) 401\b|oauth2: cannot fetch token/,
    ...PASSING,
    cause: "the controller's token has ended, and it gets a new one.",
  },
  {
    id: "google-fingerprint",
    title: "Error 412: ... fingerprint",
    source: "googleapi 412 conditionNotMet",
    pattern: /Error 412: .*fingerprint/i,
    ...PASSING,
    cause: "the object has changed since the controller read it.",
  },
  {
    id: "google-no-answer",
    title: "context deadline exceeded, connection reset",
    source: "net/http and context",
    pattern:
      /context deadline exceeded|context canceled|connection (refused|reset)|i\/o timeout|unexpected EOF/,
    ...PASSING,
    cause: "a request of the controller's got no answer.",
  },
];

/** What Google refuses at any step, for a reason outside of the cluster. */
export const LASTING_ERRORS: readonly KnownText[] = [
  {
    id: "organisation-policy",
    title: "Constraint constraints/... violated",
    source: "googleapi 412 conditionNotMet, of a constraint that Google has made or the organisation itself",
    pattern: /\b(?<policy>(constraints|customConstraints)\/[\w.]+)/,
    verdict: "lasting",
    ...violatedPolicy(),
    refine: violatedPolicy,
  },
  {
    id: "organisation-policy-unnamed",
    title: "denied by organization policy",
    source: "googleapi 412 conditionNotMet, of a constraint without a name",
    pattern: /denied by (custom )?org(anization)? polic/i,
    verdict: "lasting",
    ...violatedPolicy(),
    refine: violatedPolicy,
  },
  {
    id: "service-perimeter",
    title: "vpcServiceControls",
    source: "googleapi 403, of VPC Service Controls",
    pattern: /vpcServiceControls|prohibited by organization's policy/,
    verdict: "lasting",
    cause: "VPC Service Controls of the organisation forbid it.",
    remedy:
      "have an administrator of the service perimeter admit GKE's service agent to compute.googleapis.com; the identifier in the Warning leads to the violation in the audit log.",
  },
  {
    id: "google-api-off",
    title: "accessNotConfigured, SERVICE_DISABLED",
    source: "googleapi 403 accessNotConfigured, SERVICE_DISABLED",
    pattern: /accessNotConfigured|SERVICE_DISABLED|API has not been used in project/,
    verdict: "lasting",
    cause: "an API that GKE needs is switched off in the project.",
    remedy:
      "enable it with `gcloud services enable compute.googleapis.com`, or the API that the Warning names.",
  },
  {
    id: "billing",
    title: "billingDisabled, CONSUMER_SUSPENDED",
    source: "googleapi 403 billingDisabled, accountDisabled, CONSUMER_SUSPENDED, CONSUMER_INVALID",
    pattern:
      /billingDisabled|BILLING_DISABLED|requires billing to be enabled|billing account .* is disabled|accountDisabled|CONSUMER_(SUSPENDED|INVALID)/,
    verdict: "lasting",
    cause: "Google has suspended the project, or its billing.",
    remedy: "mend the project's billing account (Billing > Account management) and run again.",
  },
  {
    id: "quota",
    title: "Quota '...' exceeded",
    source: "googleapi 403 quotaExceeded, QUOTA_EXCEEDED, limitExceeded",
    pattern:
      /Quota '[^']+' exceeded|QUOTA_EXCEEDED|quotaExceeded|\blimitExceeded|\bLIMIT_EXCEEDED|Exceeded limit '/,
    verdict: "lasting",
    cause: "the Google Cloud project has used up a quota.",
    remedy: "raise that quota (IAM & Admin > Quotas) or delete what no longer needs it, then run again.",
  },
  {
    id: "service-agent",
    title: "Error 403: ... permission",
    source: "googleapi 403 forbidden",
    pattern: /Error 403: (?!.*[Qq]uota).*(permission|forbidden)/i,
    verdict: "lasting",
    cause: "GKE's service agent may not change resources of the project.",
    remedy:
      "restore the role Kubernetes Engine Service Agent of service-PROJECT_NUMBER@container-engine-robot.iam.gserviceaccount.com.",
  },
];

/** Values that Google refuses at any time. They come after the controllers' own texts, which say more. */
export const REFUSED_VALUES: readonly KnownText[] = [
  {
    id: "google-not-found",
    title: "googleapi: Error 404",
    source: "googleapi 404 notFound",
    pattern: /\bError 404\b|Error 400: .*(not found|notFound)/,
    ...PASSING,
    cause: "what is referred to may still be made.",
  },
  {
    id: "refused-value",
    title: "Error 400: Invalid value for field",
    source: "googleapi 400 invalid, required, invalidUsage, unsupportedOperation",
    pattern:
      /Error 400: (Invalid value for field|Required field|INVALID_USAGE|INVALID_FIELD_VALUE|Invalid resource usage|UNSUPPORTED_OPERATION)|, (invalid|required|invalidUsage|unsupportedOperation)$/,
    verdict: "lasting",
    cause: "Google refuses a value.",
    remedy:
      "correct it: it comes from backend_config, frontend_config, or another object in the cluster that sets the same field.",
  },
  {
    id: "google-changed",
    title: "googleapi: Error 412",
    source: "googleapi 412 conditionNotMet, other",
    pattern: /\bError 412\b/,
    ...PASSING,
    cause: "the object has changed since the controller read it.",
  },
];

/** cloud.google.com/load-balancing/docs/org-policy-constraints lists the types of load balancers. */
function violatedPolicy(match?: RegExpExecArray): Diagnosis {
  const policy = match?.groups?.policy;
  return {
    cause: `${policy ? `the organisation policy ${policy}` : "an organisation policy"} forbids it.`,
    remedy: `have an administrator of organisation policies permit it for this project${
      policy === "constraints/compute.restrictLoadBalancerCreationForTypes"
        ? " (type GLOBAL_EXTERNAL_HTTP_HTTPS, or INTERNAL_HTTP_HTTPS with load_balancer: internal), or set load_balancer to the kind that is permitted"
        : ""
    }.`,
  };
}
