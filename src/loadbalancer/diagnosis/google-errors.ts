import { type Diagnosis, type KnownText, lasting, PASSING } from "./known-text.ts";

// The controllers pass Google's errors on in two forms (google.golang.org/api/googleapi, Error.Error; k8s-cloud-provider,
// pkg/cloud/op.go):
//   googleapi: Error STATUS: MESSAGE, REASON          a request was refused
//   googleapi: Error STATUS: CODE - MESSAGE           an operation failed later

/** Google's API fails, or limits requests, for a moment. Any step can meet these, so they are looked for first. */
export const PASSING_ERRORS: readonly KnownText[] = [
  { source: "googleapi 5xx", pattern: /\b(Error|response code) 5\d\d\b/, verdict: PASSING },
  {
    source: "googleapi 403 or 429 rateLimitExceeded, userRateLimitExceeded",
    pattern: /rate ?limit ?exceeded|\b(Error|response code) 429\b/i,
    verdict: PASSING,
  },
  {
    source: "googleapi 400 resourceNotReady, RESOURCE_NOT_READY: Google is still making what is referred to",
    pattern: /resourceNotReady|RESOURCE_NOT_READY|Error 400: .*not ?ready/i,
    verdict: PASSING,
  },
  {
    source: "googleapi 400 resourceInUseByAnotherResource: an earlier deletion hasn't ended",
    pattern: /resourceInUseByAnotherResource|RESOURCE_IN_USE_BY_ANOTHER_RESOURCE/,
    verdict: PASSING,
  },
  {
    source: "googleapi 409 alreadyExists, resourceInUse: two workers of the controller met",
    pattern: /\bError 409\b/,
    verdict: PASSING,
  },
  {
    source: "googleapi 401 authError: the controller gets a new token",
    pattern: /\b(Error|response code) 401\b|oauth2: cannot fetch token/,
    verdict: PASSING,
  },
  {
    source: "googleapi 412 conditionNotMet: the object has changed since the controller read it",
    pattern: /Error 412: .*fingerprint/i,
    verdict: PASSING,
  },
  {
    source: "net/http and context: a request without an answer",
    pattern:
      /context deadline exceeded|context canceled|connection (refused|reset)|i\/o timeout|unexpected EOF/,
    verdict: PASSING,
  },
];

/** What Google refuses whichever step asks, for a reason outside of the cluster. */
export const LASTING_ERRORS: readonly KnownText[] = [
  {
    source: "googleapi 412 conditionNotMet, of a constraint that Google has made or the organisation itself",
    pattern: /\b(?<policy>(constraints|customConstraints)\/[\w.]+)/,
    verdict: { kind: "lasting", diagnosis: violatedPolicy },
  },
  {
    source: "googleapi 412 conditionNotMet, of a constraint without a name",
    pattern: /denied by (custom )?org(anization)? polic/i,
    verdict: { kind: "lasting", diagnosis: violatedPolicy },
  },
  {
    source: "googleapi 403, of VPC Service Controls",
    pattern: /vpcServiceControls|prohibited by organization's policy/,
    verdict: lasting(
      "VPC Service Controls of the organisation forbid it.",
      "have an administrator of the service perimeter admit GKE's service agent to compute.googleapis.com; the identifier in the Warning leads to the violation in the audit log.",
    ),
  },
  {
    source: "googleapi 403 accessNotConfigured, SERVICE_DISABLED",
    pattern: /accessNotConfigured|SERVICE_DISABLED|API has not been used in project/,
    verdict: lasting(
      "an API that GKE needs is switched off in the project.",
      "enable it with `gcloud services enable compute.googleapis.com`, or the API that the Warning names.",
    ),
  },
  {
    source: "googleapi 403 billingDisabled, accountDisabled, CONSUMER_SUSPENDED, CONSUMER_INVALID",
    pattern:
      /billingDisabled|BILLING_DISABLED|requires billing to be enabled|billing account .* is disabled|accountDisabled|CONSUMER_(SUSPENDED|INVALID)/,
    verdict: lasting(
      "Google has suspended the project, or its billing.",
      "mend the project's billing account (Billing > Account management) and run again.",
    ),
  },
  {
    source: "googleapi 403 quotaExceeded, QUOTA_EXCEEDED, limitExceeded",
    pattern:
      /Quota '[^']+' exceeded|QUOTA_EXCEEDED|quotaExceeded|\blimitExceeded|\bLIMIT_EXCEEDED|Exceeded limit '/,
    verdict: lasting(
      "the Google Cloud project has used up a quota.",
      "raise that quota (IAM & Admin > Quotas) or delete what no longer needs it, then run again.",
    ),
  },
  {
    source: "googleapi 403 forbidden",
    pattern: /Error 403: (?!.*[Qq]uota).*(permission|forbidden)/i,
    verdict: lasting(
      "GKE's service agent may not change resources of the project.",
      "restore the role Kubernetes Engine Service Agent of service-PROJECT_NUMBER@container-engine-robot.iam.gserviceaccount.com.",
    ),
  },
];

/** Values that Google refuses at any time. They come after the controllers' own texts, which say more. */
export const REFUSED_VALUES: readonly KnownText[] = [
  {
    source: "googleapi 404 notFound: what is referred to may still be made",
    pattern: /\bError 404\b|Error 400: .*(not found|notFound)/,
    verdict: PASSING,
  },
  {
    source: "googleapi 400 invalid, required, invalidUsage, unsupportedOperation",
    pattern:
      /Error 400: (Invalid value for field|Required field|INVALID_USAGE|INVALID_FIELD_VALUE|Invalid resource usage|UNSUPPORTED_OPERATION)|, (invalid|required|invalidUsage|unsupportedOperation)$/,
    verdict: lasting(
      "Google refuses a value.",
      "correct it: it comes from backend_config, frontend_config, or another object in the cluster that sets the same field.",
    ),
  },
  {
    source: "googleapi 412 conditionNotMet, other: the controller reads the object again",
    pattern: /\bError 412\b/,
    verdict: PASSING,
  },
];

/** cloud.google.com/load-balancing/docs/org-policy-constraints lists the types of load balancers. */
function violatedPolicy({ groups }: RegExpExecArray): Diagnosis {
  const policy = groups?.policy;
  return {
    cause: `${policy ? `the organisation policy ${policy}` : "an organisation policy"} forbids it.`,
    remedy: `have an administrator of organisation policies permit it for this project${
      policy === "constraints/compute.restrictLoadBalancerCreationForTypes"
        ? " (type GLOBAL_EXTERNAL_HTTP_HTTPS, or INTERNAL_HTTP_HTTPS with load_balancer: internal), or set load_balancer to the kind that is permitted"
        : ""
    }.`,
  };
}
