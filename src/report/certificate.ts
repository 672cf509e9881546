import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../inputs/settings.ts";
import { authorityIn, expiryOf } from "../loadbalancer/certificate.ts";
import type { ChosenCertificate } from "../loadbalancer/choose-certificate.ts";
import type { Session } from "./session.ts";

/**
 * Reports the certificate's expiry, and writes a self-managed one's authority to a file for later steps of
 * the job.
 */
export async function reportCertificate(
  { certificate: { kind } }: Pick<Settings, "certificate">,
  { report, directory }: Session,
  { certificate }: ChosenCertificate,
): Promise<void> {
  report.certificateStatus = "Provisioning";
  if (certificate === undefined) return;
  report.certificateExpires = expiryOf(certificate);
  const authority = kind === "self-managed" ? authorityIn(certificate) : undefined;
  if (authority === undefined) return;
  report.caCertificate = authority;
  report.caCertificateFile = join(directory, "ca.pem");
  await writeFile(report.caCertificateFile, authority);
}
