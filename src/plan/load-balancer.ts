import { isDeepStrictEqual } from "node:util";
import { endsProven, type Settings } from "../inputs/settings.ts";
import type { Manifest } from "../kubernetes/api.ts";
import type { ObjectReference } from "../kubernetes/deletion.ts";
import type { KubernetesObject, ManagedCertificate } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import { changesScheme } from "../loadbalancer/address.ts";
import { adoptOrRefuse } from "../loadbalancer/adopt.ts";
import {
  backendConfig,
  frontendConfig,
  ingress,
  type LoadBalancerNames,
  managedCertificate,
  tlsSecret,
} from "../loadbalancer/manifests.ts";
import {
  type CertificateReferences,
  isManagedName,
  isNamedAfter,
  isPermanentlyFailed,
  managedCertificateName,
  needs,
  PRE_SHARED_CERTIFICATES,
  referencesOf,
  transitionalReferences,
} from "../loadbalancer/references.ts";
import { withRemovals } from "../loadbalancer/removals.ts";
import type { LoadBalancerSettings } from "../loadbalancer/settings.ts";
import type { GrpcPort } from "../milvus/grpc-port.ts";
import type { Observed } from "../observe/observed.ts";

/** What may be left of another kind of certificate, or of a frontend_config. */
const ORPHAN_KINDS = ["FrontendConfig", "Secret", "ManagedCertificate"] as const;

/** What becomes of the load balancer's objects. */
export interface LoadBalancerPlan {
  names: LoadBalancerNames;
  /** The certificates that the Ingress names in the end. */
  certificates: CertificateReferences;
  /** Those objects that were made without this action: their fields become its own first. */
  adopted: KubernetesObject[];
  /** A ManagedCertificate of ours that Google has given up: another one, beside it, gets another try. */
  givenUp: ManagedCertificate | undefined;
  /** In the order in which they are applied: the Ingress last, so that what it refers to is there. */
  manifests: Manifest[];
  /** The Ingress without what it names only until the new certificate is served; undefined when there is no such thing. */
  finalIngress: Manifest | undefined;
  /** Objects of ours that nothing refers to any more, once the load balancer works without them. */
  orphans: (ObjectReference & { kind: (typeof ORPHAN_KINDS)[number] })[];
  /** Whether IAP stays on at Google although nothing asks for it any more. */
  leavesIap: boolean;
}

/**
 * @throws ActionError when an object of that name belongs to somebody else
 */
export function planLoadBalancer(given: Settings, observed: Observed, port: GrpcPort): LoadBalancerPlan {
  const { leavesIap, ...configs } = withRemovals(given, observed.objects);
  const settings = { ...given, ...configs };
  const names = namesOf(settings, observed);
  const { newPair } = observed.certificate;
  const wanted = wantedCertificates(settings, names);
  const during = transitionalReferences(
    wanted,
    liveCertificates(settings, observed),
    isServed(names, observed),
  );
  const routed = during === wanted ? [] : observed.formerHosts;
  const first = withoutManagedNames(ingress(names, port, settings, during, routed), settings, observed);
  const last = ingress(names, port, settings, wanted);

  const manifests: Manifest[] = [
    backendConfig(names, settings),
    ...(settings.frontendConfig ? [frontendConfig(names, settings.frontendConfig)] : []),
    ...(newPair && names.tlsSecret ? [tlsSecret(names.namespace, names.tlsSecret, newPair)] : []),
    ...(names.managedCertificate ? [managedCertificate(names, names.managedCertificate)] : []),
    first,
  ];
  // Only a run that sees the load balancer work can tell that nothing needs them.
  const orphans = (endsProven(settings) ? ORPHAN_KINDS : []).flatMap((kind) =>
    observed.objects
      .filter((object) => object.kind === kind && isOrphan(object, settings, names, observed))
      .map(({ metadata: { name, uid } }) => ({ kind, namespace: names.namespace, name, uid })),
  );
  return {
    names,
    certificates: wanted,
    adopted: adoptOrRefuse(observed.objects, manifests, names, settings.adopt),
    givenUp:
      names.managedCertificate === undefined
        ? undefined
        : observed.managedCertificates.find(
            (certificate) =>
              isPermanentlyFailed(certificate) && orphans.some(({ uid }) => uid === certificate.metadata.uid),
          ),
    manifests,
    finalIngress: isDeepStrictEqual(first, last) ? undefined : last,
    orphans,
    leavesIap,
  };
}

function namesOf(settings: Settings, { service, managedCertificates }: Observed): LoadBalancerNames {
  const { kind } = settings.certificate;
  return {
    namespace: settings.namespace,
    host: settings.host,
    ingress: settings.ingressName,
    backendConfig: settings.backendConfigName,
    frontendConfig: settings.frontendConfigName,
    tlsSecret: kind === "self-managed" || kind === "secret" ? settings.tlsSecret : undefined,
    managedCertificate:
      kind === "google-managed"
        ? managedCertificateName(settings.tlsSecret, settings.host, managedCertificates)
        : undefined,
    service: service.metadata.name,
  };
}

function wantedCertificates(
  { certificate }: LoadBalancerSettings,
  { tlsSecret, managedCertificate }: LoadBalancerNames,
): CertificateReferences {
  return {
    secrets: tlsSecret === undefined ? [] : [tlsSecret],
    preShared: certificate.kind === "pre-shared" ? certificate.names : [],
    managed: managedCertificate === undefined ? [] : [managedCertificate],
  };
}

/**
 * Takes away, with an Ingress's other changes, what Google's managed-certificate controller has written into it: an internal
 * load balancer would look for those certificates in its region, and that controller leaves its Ingress alone
 * (gke-managed-certs, pkg/utils/ingress). Only an annotation that is our own goes by being left out.
 */
function withoutManagedNames(
  manifest: Manifest,
  { loadBalancer }: Settings,
  { ingress }: Observed,
): Manifest {
  if (loadBalancer === "external" || !referencesOf(ingress).preShared.some(isManagedName)) return manifest;
  const { metadata } = manifest;
  const annotations = { [PRE_SHARED_CERTIFICATES]: "", ...metadata.annotations };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

/**
 * What the Ingress names and what is there, as a name without its object holds up all the others; and what may be
 * served, as a certificate that Google has given up never is. One at Google is of a region, or global.
 */
function liveCertificates(
  { loadBalancer }: Settings,
  { ingress, objects, managedCertificates }: Observed,
): CertificateReferences {
  const { secrets, preShared, managed } = referencesOf(ingress);
  const exists = (kind: string) => (name: string) =>
    objects.some((object) => object.kind === kind && object.metadata.name === name);
  return {
    secrets: secrets.filter(exists("Secret")),
    preShared: changesScheme(ingress, loadBalancer) ? [] : preShared,
    managed: managed.filter((name) =>
      managedCertificates.some(
        (certificate) => certificate.metadata.name === name && !isPermanentlyFailed(certificate),
      ),
    ),
  };
}

function isServed({ managedCertificate: name }: LoadBalancerNames, observed: Observed): boolean {
  const certificate = observed.managedCertificates.find(({ metadata }) => metadata.name === name);
  const { preShared } = referencesOf(observed.ingress);
  return (
    certificate?.status.certificateStatus === "Active" &&
    preShared.includes(certificate.status.certificateName)
  );
}

function isOrphan(
  object: KubernetesObject,
  { tlsSecret: base, frontendConfig }: Settings,
  names: LoadBalancerNames,
  observed: Observed,
): boolean {
  const { kind, metadata } = object;
  const live = referencesOf(observed.ingress);
  const isUnused =
    (kind === "FrontendConfig" && !frontendConfig) ||
    (kind === "Secret" &&
      metadata.name !== names.tlsSecret &&
      [base, ...live.secrets].includes(metadata.name)) ||
    (kind === "ManagedCertificate" &&
      metadata.name !== names.managedCertificate &&
      (isNamedAfter(base, metadata.name) || live.managed.includes(metadata.name)));
  const isNeeded = observed.otherIngresses.some((other) => needs(other, { kind, name: metadata.name }, []));
  return isUnused && !isNeeded && ownerOf(object).kind === "ours";
}
