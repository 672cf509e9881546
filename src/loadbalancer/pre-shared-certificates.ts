import { ActionError } from "../base/errors.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";

/**
 * Returns the error for pre-shared certificates that can't be presented for a host, undefined if they can.
 *
 * @param now milliseconds since the epoch
 * @param mustBeIssued refuse a certificate that Google has not issued yet; it does so once a load balancer
 *   has it
 */
export function problemOfPreShared(
  wanted: readonly { name: string; certificate: SslCertificate | undefined }[],
  {
    host,
    projectId,
    now,
    mustBeIssued,
  }: { host: string; projectId: string; now: number; mustBeIssued: boolean },
): ActionError | undefined {
  const problems = wanted.flatMap(({ name, certificate }) => {
    if (!certificate) return [`there is no SSL certificate ${name} in the project ${projectId}`];
    const expires = Date.parse(certificate.expireTime ?? "");
    return expires <= now ? [`${name} has expired (${certificate.expireTime})`] : [];
  });
  const fitting = wanted.flatMap(({ certificate }) =>
    certificate && sslCertificateMatchesHost(certificate, host) ? [certificate] : [],
  );
  if (mustBeIssued && fitting.length > 0 && fitting.every(isUnissued)) {
    const states = fitting.map(({ name, managed }) => `${name} is ${managed?.status}`);
    problems.push(
      `${states.join(", ")}: Google issues it once DNS leads ${host} to a load balancer that has it (wait_for: address makes one)`,
    );
  }
  if (problems.length === 0 && fitting.length === 0) {
    const names = wanted.flatMap(({ certificate }) => (certificate ? namesOf(certificate) : []));
    problems.push(`none of them is for ${host}: they are for ${names.join(", ") || "no name at all"}`);
  }
  if (problems.length === 0) return undefined;
  return new ActionError("pre_shared_certificates can't be used; nothing was changed.", {
    why: `${problems.join("; ")}.`,
    fix: "set pre_shared_certificates to names that `gcloud compute ssl-certificates list` shows for this host (global ones for an external load balancer, those of the region for an internal one).",
  });
}

/** compute API, `managed.status`: a certificate whose renewal fails is still served. */
function isUnissued({ managed }: SslCertificate): boolean {
  return managed?.status?.startsWith("PROVISIONING") ?? false;
}

/** Tells whether a certificate at Google is for a host, or will be once it is issued. */
export function sslCertificateMatchesHost(certificate: SslCertificate, host: string): boolean {
  return namesOf(certificate).some(covers(host));
}

function namesOf({ subjectAlternativeNames, managed }: SslCertificate): string[] {
  return [...subjectAlternativeNames, ...(managed?.domains ?? [])];
}

/** A wildcard stands for one label (RFC 6125, 6.4.3). */
function covers(host: string): (name: string) => boolean {
  const above = host.replace(/^[^.]+\./, "*.");
  return (name) => name.toLowerCase() === host || name.toLowerCase() === above;
}
