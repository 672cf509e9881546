import type { YamlMap } from "../base/yaml.ts";
import type { KeyPair } from "./certificate.ts";

/** Where the load balancer's certificate comes from. */
export type CertificateSettings =
  /** In a Secret that this action manages. The action makes the certificate unless the inputs give one. */
  | { kind: "self-managed"; given: KeyPair | undefined }
  /** Issued and renewed by Google, once DNS leads the host to the load balancer. */
  | { kind: "google-managed" }
  /** In a Secret that somebody else manages. */
  | { kind: "secret" }
  /** SSL certificates that already exist at Google. */
  | { kind: "pre-shared"; names: string[] };

/** The inputs about the load balancer. */
export interface LoadBalancerSettings {
  certificate: CertificateSettings;
  /** Whether an input says which certificate it is. Else one that is there already may stay. */
  isCertificateGiven: boolean;
  /** Name of the Secret, or of the ManagedCertificate, with the certificate. */
  tlsSecret: string;
  ingressName: string;
  backendConfigName: string;
  frontendConfigName: string;
  /** Wins over the spec that this action makes. */
  backendConfig: YamlMap;
  /** Undefined: no FrontendConfig. */
  frontendConfig: YamlMap | undefined;
  loadBalancer: "external" | "internal";
  /** The clients that the load balancer admits, as canonical IP ranges; empty for everybody. */
  allowedRanges: string[];
  allowHttp: boolean;
  /** Whether the input allow_http is set. */
  isAllowHttpGiven: boolean;
  backendTimeoutSeconds: number;
  staticIpName: string | undefined;
  createStaticIp: boolean;
  deleteStaticIp: boolean;
  /** The Cloud DNS zone in which this action manages the host's record. */
  dnsZone: string | undefined;
  dnsProjectId: string | undefined;
  /** Take over objects that this action did not make. */
  adopt: boolean;
}
