import { nameOf, proxyFor, targetOf } from "../base/https-proxy.ts";
import { info, warning } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import { trustFor } from "../loadbalancer/certificate.ts";
import type { ChosenCertificate } from "../loadbalancer/chosen-certificate.ts";
import { checkAuthentication } from "../milvus/authentication.ts";
import { connect } from "../milvus/client.ts";
import { type Verification, verify } from "../milvus/verify.ts";
import type { Session } from "../report/session.ts";

const DEFAULT_PASSWORD = {
  accepted:
    "Milvus's user root still has the default password, which everybody knows: change it (update_password).",
  given:
    "The token in milvus_token is the default user with the default password, which everybody knows: change the password in Milvus (update_password), and then the token.",
};

/**
 * Calls Milvus through the load balancer until it answers.
 *
 * @param dial `host:port` of the load balancer
 * @throws ActionError when Milvus doesn't answer within `backends_timeout`
 */
export async function proveMilvus(
  {
    host,
    milvusToken,
    backendsTimeout,
    allowedRanges,
  }: Pick<Settings, "host" | "milvusToken" | "backendsTimeout" | "allowedRanges">,
  { report, environment, signal }: Session,
  { certificate, loginEnds }: Pick<ChosenCertificate, "certificate"> & Pick<Verification, "loginEnds">,
  dial: string,
): Promise<void> {
  const proxy = proxyFor(targetOf(dial), environment);
  if (proxy) info(`The check goes through the proxy ${nameOf(proxy)}, as HTTPS_PROXY says.`);
  const target = {
    address: dial,
    host,
    ca: certificate && trustFor(certificate),
    proxy,
    token: milvusToken,
    loginEnds,
    signal,
  };
  const client = connect(target);
  try {
    const { version, reasons } = await verify(client, { ...target, allowedRanges, limit: backendsTimeout });
    if (version === undefined) {
      info("Milvus answers and asks for a token. Set milvus_token to have its version and health checked.");
    } else {
      info(`Milvus ${version} answers through the load balancer.`);
    }
    if (reasons.length > 0) warning(`Milvus answers, but reports itself unhealthy: ${reasons.join("; ")}`);
    report.milvusVersion = version ?? report.milvusVersion ?? "";
    const { authentication, defaultPassword } = await checkAuthentication(client, target);
    report.authentication = authentication;
    if (authentication === undefined) info("Whether Milvus requires a token is not known.");
    if (authentication === "none") info("Milvus answers calls without a token.");
    if (defaultPassword) warning(DEFAULT_PASSWORD[defaultPassword]);
  } finally {
    client.close();
  }
}
