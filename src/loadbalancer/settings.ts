import type { YamlMap } from "../base/yaml.ts";
import type { KeyPair } from "./certificate.ts";

/** Where the load balancer's certificate comes from. */
export type CertificateSettings =
  /** In a Secret that this action keeps: made here unless the user gives one. */
  | { kind: "self-managed"; given: KeyPair | undefined }
  /** Made and renewed by Google, for a host whose DNS points at the load balancer. */
  | { kind: "google-managed" }
  /** In a Secret that somebody else keeps. */
  | { kind: "secret" }
  /** At Google already. */
  | { kind: "pre-shared"; names: string[] };

/** What the user wants of the load balancer. */
export interface LoadBalancerSettings {
  certificate: CertificateSettings;
  /** Name of the Secret, or of the ManagedCertificate, with the certificate. */
  tlsSecret: string;
  ingressName: string;
  backendConfigName: string;
  frontendConfigName: string;
  /** Laid over the specs that this action makes. */
  backendConfig: YamlMap;
  /** Undefined: no FrontendConfig. */
  frontendConfig: YamlMap | undefined;
  loadBalancer: "external" | "internal";
  allowHttp: boolean;
  backendTimeoutSeconds: number;
  staticIpName: string | undefined;
  createStaticIp: boolean;
  deleteStaticIp: boolean;
  /** The Cloud DNS zone in which the host's record is kept. */
  dnsZone: string | undefined;
  dnsProjectId: string | undefined;
  /** Take objects over that this action has not made. */
  adopt: boolean;
}
