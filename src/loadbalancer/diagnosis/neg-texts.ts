import { HARMLESS, type KnownText, lasting, PASSING } from "./known-text.ts";

const ANNOTATION_REMEDY =
  "correct the Service's annotation cloud.google.com/neg, in service.annotations of the input values or in what else sets it.";

/** What the controller of network endpoint groups (NEG) writes, into events of the Service. */
export const NEG_TEXTS: readonly KnownText[] = [
  {
    source: "pkg/backends negLinker.Link: every new load balancer is made before its network endpoint group",
    pattern: /networkEndpointGroups\/\S+ was not found/,
    verdict: HARMLESS,
  },
  {
    source: "pkg/negannotation ErrNEGAnnotationInvalid, event ProcessServiceFailed",
    pattern: /NEG annotation is invalid/,
    verdict: lasting("the Service's annotation cloud.google.com/neg is malformed.", ANNOTATION_REMEDY),
  },
  {
    source: "pkg/neg negServicePorts, event ProcessServiceFailed",
    pattern: /port \S+ specified in "[^"]*" doesn't exist in the service/,
    verdict: lasting(
      "the Service's annotation cloud.google.com/neg names a port that the Service doesn't have.",
      ANNOTATION_REMEDY,
    ),
  },
  {
    source:
      "pkg/neg mergeStandaloneNEGsPortInfo, pkg/utils/namer ErrCustomNEGNameTooLong, event ProcessServiceFailed",
    pattern:
      /custom neg name cannot be used with ingress enabled|failed to merge service ports|custom NEG name exceeds/,
    verdict: lasting(
      "the Service's annotation cloud.google.com/neg gives its network endpoint group a name of its own.",
      `${ANNOTATION_REMEDY.slice(0, -1)}: a group behind an Ingress can't have one.`,
    ),
  },
  {
    source: "pkg/neg processService, event ProcessServiceFailed",
    pattern: /NEG is not supported for ipv6 only service/,
    verdict: lasting(
      "the Service has IPv6 addresses only, and Google's load balancer needs IPv4.",
      "set the Service's ipFamilies to IPv4, or to both.",
    ),
  },
  {
    source: "pkg/network NetworksResolver.ServiceNetwork, event ProcessServiceFailed",
    pattern: /network \S+ does not exist|GKENetworkParamSet|network\.Spec\./,
    verdict: lasting(
      "the Service selects a network that the cluster doesn't have.",
      "remove networking.gke.io/network from the Service's selector, or create that Network.",
    ),
  },
  {
    source: "pkg/neg/syncers ensureNetworkEndpointGroup, event SyncNetworkEndpointGroupFailed",
    pattern:
      /found (a custom named neg|conflicting description in neg)|does not match network and subnetwork of the cluster|has a label mismatch/,
    verdict: lasting(
      "a network endpoint group of this name belongs to something else.",
      "delete that group (`gcloud compute network-endpoint-groups list`), or take its name out of the annotation cloud.google.com/neg.",
    ),
  },
  {
    source: "pkg/neg/types sync_errors.go: pods and nodes change while the controller reads them",
    pattern:
      /^Entering degraded mode for NEG|endpoint (corresponds to|has|counts?|information)|failed to get (NEG for service|current NEG endpoints|EPS for service)/,
    verdict: PASSING,
  },
  {
    source:
      "pkg/neg/syncers transactionSyncer, event RetryFailed: the next change of the endpoints starts it again",
    pattern: /^Failed to retry NEG sync/,
    verdict: PASSING,
  },
  {
    source: "pkg/neg syncNegStatusAnnotation, pkg/neg/syncers, event IgnoreZonePreprovisioningAnnotation",
    pattern: /^Ignore zone pre-provisioning annotation/,
    verdict: HARMLESS,
  },
  {
    source: "pkg/neg mergeVmIpNEGsPortInfo, event ProcessServiceSkipped: of layer-4 load balancers",
    pattern: /^Ignoring ILB Service/,
    verdict: HARMLESS,
  },
];
