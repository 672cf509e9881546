import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expiryOf } from "../loadbalancer/certificate.ts";
import type { ChosenCertificate } from "../loadbalancer/chosen-certificate.ts";
import type { Session } from "./session.ts";

/**
 * Reports the certificate's expiry, and writes what clients of a self-managed one must trust to a
 * file for later steps of the job.
 */
export async function reportCertificate(
  { report, directory }: Session,
  { certificate, authority }: Pick<ChosenCertificate, "certificate" | "authority">,
): Promise<void> {
  report.certificateStatus = "Provisioning";
  if (certificate === undefined) return;
  report.certificateExpires = expiryOf(certificate);
  if (authority === undefined) return;
  report.caCertificate = authority;
  report.caCertificateFile = join(directory, "ca.pem");
  await writeFile(report.caCertificateFile, authority);
}
