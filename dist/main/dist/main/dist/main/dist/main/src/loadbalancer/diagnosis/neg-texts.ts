import { HARMLESS, PASSING } from "../../base/symptom.ts";
import type { KnownText } from "./known-text.ts";

const ANNOTATION_REMEDY =
  "correct the Service's annotation cloud.google.com/neg, in service.annotations of the input values or in what else sets it.";

/** What the controller of network endpoint groups (NEG) writes, into events of the Service. */
export const NEG_TEXTS: readonly KnownText[] = [
  {
    id: "group-not-made",
    title: "networkEndpointGroups/... was not found",
    source: "pkg/backends negLinker.Link",
    pattern: /networkEndpointGroups\/\S+ was not found/,
    ...HARMLESS,
    cause: "every new load balancer is made before its network endpoint group.",
  },
  {
    id: "neg-annotation",
    title: "NEG annotation is invalid",
    source: "pkg/negannotation ErrNEGAnnotationInvalid, event ProcessServiceFailed",
    pattern: /NEG annotation is invalid/,
    verdict: "lasting",
    cause: "the Service's annotation cloud.google.com/neg is malformed.",
    remedy: ANNOTATION_REMEDY,
  },
  {
    id: "neg-port",
    title: 'port ... specified in "cloud.google.com/neg" doesn\'t exist in the service',
    source: "pkg/neg negServicePorts, event ProcessServiceFailed",
    pattern: /port \S+ specified in "[^"]*" doesn't exist in the service/,
    verdict: "lasting",
    cause: "the Service's annotation cloud.google.com/neg names a port that the Service doesn't have.",
    remedy: ANNOTATION_REMEDY,
  },
  {
    id: "neg-name",
    title: "custom neg name cannot be used with ingress enabled",
    source:
      "pkg/neg mergeStandaloneNEGsPortInfo, pkg/utils/namer ErrCustomNEGNameTooLong, event ProcessServiceFailed",
    pattern:
      /custom neg name cannot be used with ingress enabled|failed to merge service ports|custom NEG name exceeds/,
    verdict: "lasting",
    cause:
      "the Service's annotation cloud.google.com/neg gives its network endpoint group a name of its own.",
    remedy: `${ANNOTATION_REMEDY.slice(0, -1)}: a group behind an Ingress can't have one.`,
  },
  {
    id: "ipv6-only",
    title: "NEG is not supported for ipv6 only service",
    source: "pkg/neg processService, event ProcessServiceFailed",
    pattern: /NEG is not supported for ipv6 only service/,
    verdict: "lasting",
    cause: "the Service has IPv6 addresses only, and Google's load balancer needs IPv4.",
    remedy: "set the Service's ipFamilies to IPv4, or to both.",
  },
  {
    id: "network-not-found",
    title: "network ... does not exist",
    source: "pkg/network NetworksResolver.ServiceNetwork, event ProcessServiceFailed",
    pattern: /network \S+ does not exist|GKENetworkParamSet|network\.Spec\./,
    verdict: "lasting",
    cause: "the Service selects a network that the cluster doesn't have.",
    remedy: "remove networking.gke.io/network from the Service's selector, or create that Network.",
  },
  {
    id: "group-taken",
    title: "NEG ... does not match network and subnetwork of the cluster",
    source: "pkg/neg/syncers ensureNetworkEndpointGroup, event SyncNetworkEndpointGroupFailed",
    pattern:
      /found (a custom named neg|conflicting description in neg)|does not match network and subnetwork of the cluster|has a label mismatch/,
    verdict: "lasting",
    cause: "a network endpoint group of this name belongs to something else.",
    remedy:
      "delete that group (`gcloud compute network-endpoint-groups list`), or take its name out of the annotation cloud.google.com/neg.",
  },
  {
    id: "group-degraded",
    title: "Entering degraded mode for NEG",
    source: "pkg/neg/types sync_errors.go",
    pattern:
      /^Entering degraded mode for NEG|endpoint (corresponds to|has|counts?|information)|failed to get (NEG for service|current NEG endpoints|EPS for service)/,
    ...PASSING,
    cause: "pods and nodes change while the controller reads them.",
  },
  {
    id: "group-retry",
    title: "Failed to retry NEG sync",
    source: "pkg/neg/syncers transactionSyncer, event RetryFailed",
    pattern: /^Failed to retry NEG sync/,
    ...PASSING,
    cause: "the next change of the endpoints starts it again.",
  },
  {
    id: "group-zone",
    title: "Ignore zone pre-provisioning annotation",
    source: "pkg/neg syncNegStatusAnnotation, pkg/neg/syncers, event IgnoreZonePreprovisioningAnnotation",
    pattern: /^Ignore zone pre-provisioning annotation/,
    ...HARMLESS,
    cause: "a zone is given that the cluster doesn't have nodes in.",
  },
  {
    id: "layer-4-internal",
    title: "Ignoring ILB Service",
    source: "pkg/neg mergeVmIpNEGsPortInfo, event ProcessServiceSkipped",
    pattern: /^Ignoring ILB Service/,
    ...HARMLESS,
    cause: "it is about layer-4 load balancers.",
  },
];
