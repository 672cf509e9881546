import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import type { DomainStatus, ManagedStatus, SslCertificate } from "../cloud.ts";

/** `status` of a ManagedCertificate. */
export type ManagedCertificateStatus = v.InferOutput<typeof status>;

const status = v.object({
  certificateName: v.string(),
  certificateStatus: v.string(),
  domainStatus: v.array(v.object({ domain: v.string(), status: v.string() })),
  expireTime: v.exactOptional(v.string()),
});

const spec = v.object({ domains: v.optional(v.array(v.string()), []) });

const CERTIFICATE_STATUS: Record<ManagedStatus, string> = {
  PROVISIONING: "Provisioning",
  ACTIVE: "Active",
  PROVISIONING_FAILED: "ProvisioningFailed",
  PROVISIONING_FAILED_PERMANENTLY: "ProvisioningFailedPermanently",
};

const DOMAIN_STATUS: Record<DomainStatus, string> = {
  PROVISIONING: "Provisioning",
  ACTIVE: "Active",
  FAILED_NOT_VISIBLE: "FailedNotVisible",
  FAILED_CAA_CHECKING: "FailedCaaChecking",
  FAILED_CAA_FORBIDDEN: "FailedCaaForbidden",
  FAILED_RATE_LIMITED: "FailedRateLimited",
};

/** Parses the `spec` of a ManagedCertificate, whose types the CRD's schema has checked. */
export function domainsOf(specification: unknown): string[] {
  return v.parse(v.optional(spec, {}), specification).domains;
}

/** Whether a ManagedCertificate's `status` is up to date. */
export function hasStatus(present: unknown, wanted: ManagedCertificateStatus): boolean {
  const { output, success } = v.safeParse(status, present);
  return success && JSON.stringify(output) === JSON.stringify(v.parse(status, wanted));
}

/** Derives the `status` of a ManagedCertificate from its SslCertificate. */
export function statusOf(certificate: SslCertificate): ManagedCertificateStatus {
  const { name, managed } = certificate;
  if (!managed) throw new Error(`${name} is not a managed certificate`);
  const domains = Object.entries(managed.domainStatus).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    certificateName: name,
    certificateStatus: CERTIFICATE_STATUS[managed.status],
    domainStatus: domains.map(([domain, found]) => ({ domain, status: DOMAIN_STATUS[found] })),
    ...(certificate.certificate !== "" && {
      expireTime: new X509Certificate(certificate.certificate).validToDate.toISOString(),
    }),
  };
}
