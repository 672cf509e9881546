import { isDeepStrictEqual } from "node:util";
import type { YamlMap } from "../base/yaml.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import type { Manifest } from "../kubernetes/api.ts";
import type { ObjectReference } from "../kubernetes/deletion.ts";
import type { KubernetesObject, ManagedCertificate } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import { changesScheme } from "../loadbalancer/address.ts";
import { adoptOrRefuse } from "../loadbalancer/adopt.ts";
import {
  isManagedName,
  isNamedAfter,
  isPermanentlyFailed,
  managedCertificateName,
} from "../loadbalancer/managed-certificates.ts";
import {
  backendConfigManifest,
  frontendConfigManifest,
  ingressClassOf,
  ingressManifest,
  type LoadBalancerNames,
  managedCertificateManifest,
  tlsSecretManifest,
} from "../loadbalancer/manifests.ts";
import {
  authoritySecretName,
  type CertificateReferences,
  needs,
  PRE_SHARED_CERTIFICATES,
  referencesOf,
  transitionalReferences,
} from "../loadbalancer/references.ts";
import { withRemovals } from "../loadbalancer/removals.ts";
import type { LoadBalancerSettings } from "../loadbalancer/settings.ts";
import type { GrpcPort } from "../milvus/grpc-port.ts";
import type { Observed } from "../observe/observed.ts";

/** What another kind of certificate, or a former frontend_config, leaves behind. */
const ORPHAN_KINDS = ["FrontendConfig", "Secret", "ManagedCertificate"] as const;

type PlanSettings = LoadBalancerSettings & Pick<Settings, "host" | "namespace" | "waitFor">;

/** What a run does to the load balancer's objects. */
export interface LoadBalancerPlan {
  names: LoadBalancerNames;
  /** The certificates that the Ingress names when the run is done. */
  certificates: CertificateReferences;
  /** The objects that are there when the manifests are applied. */
  live: KubernetesObject[];
  /** Objects that somebody else made: their fields become this action's own first. */
  adopted: KubernetesObject[];
  /** This action's ManagedCertificate that failed for good at Google: a new one replaces it. */
  givenUp: ManagedCertificate | undefined;
  /** In the order in which they are applied: the Ingress last, because it refers to the others. */
  manifests: Manifest[];
  /**
   * The Ingress without the certificates that serve until the new one does; undefined when there are none.
   */
  finalIngress: Manifest | undefined;
  /** The BackendConfig without the switch that turns IAP off; undefined if it has none. */
  finalBackendConfig: Manifest | undefined;
  /** This action's objects that nothing refers to once the load balancer works. */
  orphans: (ObjectReference & { kind: (typeof ORPHAN_KINDS)[number] })[];
  /** Whether IAP stays on at Google although backend_config no longer has it. */
  leavesIap: boolean;
}

/**
 * @throws ActionError when an object of that name belongs to somebody else
 */
export function planLoadBalancer(given: PlanSettings, observed: Observed, port: GrpcPort): LoadBalancerPlan {
  const wantedBackendConfig = withClientPolicy(given, observed);
  const { leavesIap, turnsIapOff, ...configs } = withRemovals(
    { ...given, backendConfig: wantedBackendConfig },
    observed.objects,
  );
  const settings = { ...given, ...configs };
  const names = namesOf(settings, observed);
  const { newAuthority, newPair } = observed.certificate;
  const { kept } = observed;
  const wanted = united(wantedCertificates(settings, names), kept.ingress.certificates);
  const during = transitionalReferences(
    wanted,
    liveCertificates(settings, observed),
    isServed(names, observed),
  );
  const routed = during === wanted ? [] : observed.formerHosts;
  const first = withoutManagedNames(
    ingressManifest(names, port, settings, during, routed, kept.ingress),
    settings,
    observed,
  );
  const last = ingressManifest(names, port, settings, wanted, [], kept.ingress);

  const manifests: Manifest[] = [
    backendConfigManifest(names, settings, kept.backendConfig),
    ...(settings.frontendConfig ? [frontendConfigManifest(names, settings.frontendConfig)] : []),
    ...(newAuthority && names.authoritySecret
      ? [tlsSecretManifest(names.namespace, names.authoritySecret, newAuthority)]
      : []),
    ...(newPair && names.tlsSecret
      ? [tlsSecretManifest(names.namespace, names.tlsSecret, newPair, kept.secret)]
      : []),
    ...(names.managedCertificate && kept.ingress.serving?.kind !== "managed"
      ? [managedCertificateManifest(names, names.managedCertificate)]
      : []),
    first,
  ];
  // Only a run that proves the load balancer can tell that they are not needed any more.
  const orphans = (endsProven(settings) ? ORPHAN_KINDS : []).flatMap((kind) =>
    observed.objects
      .filter((object) => object.kind === kind && isOrphan(object, settings, names, wanted, observed))
      .map(({ metadata: { name, uid } }) => ({ kind, namespace: names.namespace, name, uid })),
  );
  return {
    names,
    certificates: wanted,
    live: observed.objects,
    adopted: adoptOrRefuse(observed.objects, manifests, names, kept, settings.adopt),
    givenUp:
      names.managedCertificate === undefined
        ? undefined
        : observed.managedCertificates.find(
            (certificate) =>
              isPermanentlyFailed(certificate) && orphans.some(({ uid }) => uid === certificate.metadata.uid),
          ),
    manifests,
    finalIngress: isDeepStrictEqual(first, last) ? undefined : last,
    finalBackendConfig: turnsIapOff
      ? backendConfigManifest(names, withoutIap(settings), kept.backendConfig)
      : undefined,
    orphans,
    leavesIap,
  };
}

function withoutIap(settings: PlanSettings): PlanSettings {
  const { iap: _, ...backendConfig } = settings.backendConfig;
  return { ...settings, backendConfig };
}

/** Returns backend_config with the Cloud Armor policy of allowed_ranges. */
function withClientPolicy(
  { backendConfig, allowedRanges }: Pick<PlanSettings, "backendConfig" | "allowedRanges">,
  { google: { clientPolicy } }: Pick<Observed, "google">,
): YamlMap {
  if (!clientPolicy || allowedRanges.length === 0) return backendConfig;
  return { ...backendConfig, securityPolicy: { name: clientPolicy.name } };
}

function namesOf(
  settings: PlanSettings,
  { service, managedCertificates, kept }: Observed,
): LoadBalancerNames {
  const { certificate } = settings;
  const { kind } = certificate;
  const isMade = kind === "self-managed" && certificate.given === undefined;
  const { serving } = kept.ingress;
  const managed =
    serving?.kind === "managed"
      ? serving.name
      : managedCertificateName(settings.tlsSecret, settings.host, managedCertificates);
  return {
    namespace: settings.namespace,
    host: settings.host,
    ingress: settings.ingressName,
    backendConfig: settings.backendConfigName,
    frontendConfig: settings.frontendConfigName,
    ingressClass: ingressClassOf(settings.loadBalancer),
    tlsSecret: kind === "self-managed" || kind === "secret" ? settings.tlsSecret : undefined,
    authoritySecret: isMade ? authoritySecretName(settings.tlsSecret) : undefined,
    managedCertificate: kind === "google-managed" ? managed : undefined,
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

/** Returns the certificates of both. */
function united(one: CertificateReferences, other: CertificateReferences): CertificateReferences {
  const union = (key: keyof CertificateReferences) => [...new Set([...one[key], ...other[key]])];
  return { secrets: union("secrets"), preShared: union("preShared"), managed: union("managed") };
}

/**
 * Removes the names that Google's managed-certificate controller wrote into an Ingress that becomes internal.
 * An internal load balancer would look for those certificates in its region, and the controller doesn't
 * remove them (gke-managed-certs, pkg/utils/ingress). The annotation is emptied: leaving out another
 * manager's keeps it.
 */
function withoutManagedNames(
  manifest: Manifest,
  { loadBalancer }: Pick<PlanSettings, "loadBalancer">,
  { ingress }: Observed,
): Manifest {
  if (loadBalancer === "external" || !referencesOf(ingress).preShared.some(isManagedName)) return manifest;
  const { metadata } = manifest;
  const annotations = { [PRE_SHARED_CERTIFICATES]: "", ...metadata.annotations };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

/**
 * Returns the certificates that the Ingress names, without those that can't be served: a missing object,
 * which would hold up all the others; a ManagedCertificate that failed for good; a certificate of the wrong
 * region.
 */
function liveCertificates(
  { loadBalancer }: Pick<PlanSettings, "loadBalancer">,
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
  { tlsSecret: base, frontendConfig }: Pick<PlanSettings, "tlsSecret" | "frontendConfig">,
  names: Pick<LoadBalancerNames, "authoritySecret">,
  wanted: CertificateReferences,
  observed: Observed,
): boolean {
  const { kind, metadata } = object;
  const live = referencesOf(observed.ingress);
  const isUnused =
    (kind === "FrontendConfig" && !frontendConfig) ||
    (kind === "Secret" &&
      ![...wanted.secrets, names.authoritySecret].includes(metadata.name) &&
      [base, ...live.secrets].some((name) => [name, authoritySecretName(name)].includes(metadata.name))) ||
    (kind === "ManagedCertificate" &&
      !wanted.managed.includes(metadata.name) &&
      (isNamedAfter(base, metadata.name) || live.managed.includes(metadata.name)));
  const isNeeded = observed.otherIngresses.some((other) => needs(other, { kind, name: metadata.name }, []));
  return isUnused && !isNeeded && ownerOf(object).kind === "ours";
}
