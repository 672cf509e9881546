import { X509Certificate } from "node:crypto";
import type { Cloud, SslCertificate, Subnetwork } from "../cloud.ts";
import type { AddressSettings } from "./static-addresses.ts";

/** The location of a resource: a region, or global. */
export interface Scope {
  region: string | undefined;
  /** E.g. `projects/my-project/global`. */
  path: string;
}

/** The URL by which other resources refer to a resource. */
export function resourceUrl(path: string): string {
  return `https://www.googleapis.com/compute/v1/${path}`;
}

/** Paths of the forwarding rules that use an address. */
export function usersOf(cloud: Cloud, scope: Scope, address: string | undefined): string[] {
  return [...cloud.forwardingRules]
    .filter(([, used]) => used === address)
    .map(([name]) => `${scope.path}/forwardingRules/${name}`);
}

/** Formats an Address of the Compute API. It has no IP address while its reservation is in progress. */
export function addressResource(
  cloud: Cloud,
  scope: Scope,
  reserved: AddressSettings & { name: string; address?: string },
): Record<string, unknown> {
  const { name, address, addressType = "EXTERNAL", description = "" } = reserved;
  const users = usersOf(cloud, scope, address);
  const internal = addressType === "INTERNAL" && {
    purpose: reserved.purpose ?? "GCE_ENDPOINT",
    subnetwork: resourceUrl(`${scope.path}/subnetworks/${reserved.subnetwork ?? "default"}`),
  };
  return {
    kind: "compute#address",
    name,
    description,
    ...(address !== undefined && { address }),
    addressType,
    ...internal,
    networkTier: "PREMIUM",
    ...(scope.region === undefined ? { ipVersion: "IPV4" } : { region: resourceUrl(scope.path) }),
    status: address === undefined ? "RESERVING" : users.length > 0 ? "IN_USE" : "RESERVED",
    ...(users.length > 0 && { users: users.map(resourceUrl) }),
    selfLink: resourceUrl(`${scope.path}/addresses/${name}`),
  };
}

export function subnetworkResource(scope: Scope, subnetwork: Subnetwork): Record<string, unknown> {
  const project = scope.path.replace(/\/regions\/.*$/, "");
  return {
    kind: "compute#subnetwork",
    ...subnetwork,
    region: resourceUrl(scope.path),
    network: resourceUrl(`${project}/global/networks/default`),
    selfLink: resourceUrl(`${scope.path}/subnetworks/${subnetwork.name}`),
  };
}

/** Formats an SslCertificate of the Compute API. A managed one has no PEM before its issue. */
export function sslCertificateResource(
  scope: Scope,
  sslCertificate: SslCertificate,
): Record<string, unknown> {
  const { name, certificate, managed } = sslCertificate;
  return {
    kind: "compute#sslCertificate",
    name,
    type: managed ? "MANAGED" : "SELF_MANAGED",
    ...(certificate && { certificate, ...readCertificate(certificate) }),
    ...(managed ? { managed } : { selfManaged: { certificate } }),
    ...(scope.region !== undefined && { region: resourceUrl(scope.path) }),
    selfLink: resourceUrl(`${scope.path}/sslCertificates/${name}`),
  };
}

function readCertificate(pem: string): object {
  const { subjectAltName = "", validToDate } = new X509Certificate(pem);
  const names = [...subjectAltName.matchAll(/DNS:([^,\s]+)/g)].map(([, name]) => name);
  return {
    ...(names.length > 0 && { subjectAlternativeNames: names }),
    expireTime: validToDate.toISOString(),
  };
}
