import { warning } from "@actions/core";
import { info } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import { trustFor } from "../loadbalancer/certificate.ts";
import type { ChosenCertificate } from "../loadbalancer/choose-certificate.ts";
import type { verify as Verify } from "../milvus/verify.ts";
import type { Session } from "../report/session.ts";

/**
 * Calls Milvus through the load balancer until it answers.
 *
 * @param dial `host:port` of the load balancer
 * @throws ActionError when Milvus doesn't answer within `backends_timeout`
 */
export async function proveMilvus(
  verify: typeof Verify,
  { host, milvusToken, backendsTimeout }: Pick<Settings, "host" | "milvusToken" | "backendsTimeout">,
  { report, signal }: Session,
  { certificate }: ChosenCertificate,
  dial: string,
): Promise<void> {
  const { version, reasons } = await verify({
    address: dial,
    host,
    ca: certificate && trustFor(certificate),
    token: milvusToken,
    limit: backendsTimeout,
    signal,
  });
  if (version === undefined) {
    info("Milvus answers and asks for a token. Set milvus_token to have its version and health checked.");
  } else {
    info(`Milvus ${version} answers through the load balancer.`);
  }
  if (reasons.length > 0) warning(`Milvus answers, but reports itself unhealthy: ${reasons.join("; ")}`);
  report.milvusVersion = version ?? report.milvusVersion ?? "";
}
