import { setTimeout as delay } from "node:timers/promises";
import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import { withProgress } from "../base/progress.ts";
import type { ManagedCertificate } from "../kubernetes/objects.ts";
import {
  type CaaRecords,
  type DnsResult,
  dnsAdvice,
  type HostAddresses,
  lookUpCaa,
  lookUpHost,
} from "./dns.ts";
import { isPermanentlyFailed } from "./managed-certificates.ts";
import { refuseLastingCause, refuseLostObjects } from "./reasons-to-stop.ts";
import type { LoadBalancerState, LoadBalancerWatch } from "./watch.ts";

/** What the wait for a Google-managed certificate needs to know. */
export interface CertificateWait {
  /** IP address of the load balancer. */
  address: string;
  /** Where DNS leads the host when the wait begins. */
  found: DnsResult<HostAddresses>;
  /** Wait even while DNS leads the host elsewhere. */
  insist: boolean;
  /** Milliseconds. */
  limit: number;
  environment: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/**
 * The authorities that issue Google-managed certificates (cloud.google.com/load-balancing, managed
 * certificates).
 */
const AUTHORITIES = ["pki.goog", "letsencrypt.org"];
/** Longest wait for DNS, in milliseconds. */
export const LOOK_UP_MS = 10_000;
/**
 * Time between two DNS look-ups during the wait, in milliseconds. DNS sends no notice when a record changes.
 */
const LOOK_AGAIN_MS = 15_000;

/** A certificate state that the wait reacts to. `status` is that of the domain. */
type CertificateChange = { kind: "active" } | { kind: "stuck"; status: string };

/**
 * Waits until Google has issued its certificate and the load balancer presents it. Returns false, with a
 * warning that says what to change, if DNS leads the host elsewhere: the certificate can't become Active
 * then.
 *
 * @throws ActionError if provisioning failed permanently, if Google refuses it for a lasting reason, or at
 *   the limit
 */
export async function waitForCertificate(watch: LoadBalancerWatch, wait: CertificateWait): Promise<boolean> {
  const { host } = watch.names;
  const { address, insist, limit, signal, environment } = wait;
  let { found } = wait;
  const advice = dnsAdvice(host, address, found);
  if (found.state !== "unknown" && advice && !insist && !isActive(watch.state)) {
    warning(`The certificate can't become Active yet. ${advice}`);
    return false;
  }
  const giveUp = performance.now() + limit;
  const describe = () =>
    `waiting for ManagedCertificate ${nameOf(watch)}, which is ${statusOf(watch.state)}${adviceOn(watch, address, found)}`;
  // The load balancer works by now, so earlier causes are gone.
  watch.forgetWarnings();
  const ended = new AbortController();
  if (advice) void watchDns(watch, wait, ended.signal, (news) => (found = news));
  try {
    return await withProgress(
      describe,
      async () => {
        /** Statuses that DNS shows to be out of date: Google will look again. */
        const stale = new Set<string>();
        for (;;) {
          const change = await watch.until<CertificateChange>((state) => changeIn(watch, state, stale), {
            limit: Math.max(1, giveUp - performance.now()),
            onLimit: () => tooLate(watch, address, found, limit),
            signal,
          });
          if (change.kind === "active") return true;
          if (change.status !== "FailedNotVisible") {
            const records = await lookUpCaa(host, environment, signal, LOOK_UP_MS);
            if (!permits(records)) throw forbidden(watch, change.status, records);
          } else if (found.state === "unknown" && !insist) {
            warning(`The certificate can't become Active yet: Google can't find ${host}. ${advice ?? ""}`);
            return false;
          }
          info(`Google reports ${change.status} for ${host} and will check again.`);
          stale.add(change.status);
        }
      },
      limit,
    );
  } finally {
    ended.abort();
  }
}

function changeIn(
  watch: LoadBalancerWatch,
  state: LoadBalancerState,
  stale: ReadonlySet<string>,
): CertificateChange | undefined {
  refuseLostObjects(watch, state);
  if (isActive(state)) return { kind: "active" };
  const certificate = certificateIn(state);
  if (certificate && isPermanentlyFailed(certificate)) throw permanentlyFailed(watch);
  refuseLastingCause(watch, state);
  const status = domainStatusIn(state);
  const isStuck = /^Failed(NotVisible|Caa)/.test(status) && !stale.has(status);
  return isStuck ? { kind: "stuck", status } : undefined;
}

/** Looks DNS up until the wait ends, so that progress lines and errors show its current state. */
async function watchDns(
  { names }: LoadBalancerWatch,
  { environment, signal }: CertificateWait,
  waitEnded: AbortSignal,
  onFound: (found: DnsResult<HostAddresses>) => void,
): Promise<void> {
  const ended = AbortSignal.any([signal, waitEnded]);
  while (!ended.aborted) {
    await delay(LOOK_AGAIN_MS, undefined, { signal: ended }).catch(() => {});
    if (ended.aborted) return;
    const found = await lookUpHost(names.host, environment, ended, LOOK_UP_MS).catch(() => undefined);
    if (found) onFound(found);
  }
}

function certificateIn({ managedCertificate }: LoadBalancerState): ManagedCertificate | undefined {
  return managedCertificate.state === "present" ? managedCertificate.object : undefined;
}

function isActive(state: LoadBalancerState): boolean {
  return certificateIn(state)?.status.certificateStatus === "Active";
}

function domainStatusIn(state: LoadBalancerState): string {
  return certificateIn(state)?.status.domainStatus[0]?.status ?? "";
}

/** Returns the certificate's status, and the domain's if it differs. */
function statusOf(state: LoadBalancerState): string {
  const status = certificateIn(state)?.status.certificateStatus || "not processed yet";
  const domain = domainStatusIn(state);
  return domain === "" || domain === status ? status : `${status} (${domain})`;
}

function adviceOn({ names }: LoadBalancerWatch, address: string, found: DnsResult<HostAddresses>): string {
  const advice = dnsAdvice(names.host, address, found);
  return advice ? `; ${advice}` : "; DNS is right";
}

function nameOf({ names }: LoadBalancerWatch): string {
  return `${names.namespace}/${names.managedCertificate}`;
}

/** RFC 8659, 4: if no record names an issuer, every authority may issue. */
function permits(found: DnsResult<CaaRecords>): boolean {
  if (found.state !== "resolved") return true;
  const issuers = found.records.filter((record) => / issue /.test(record));
  return issuers.length === 0 || issuers.some((record) => AUTHORITIES.some((name) => record.includes(name)));
}

function permanentlyFailed(watch: LoadBalancerWatch): ActionError {
  return new ActionError(`Google can no longer issue ManagedCertificate ${nameOf(watch)}.`, {
    why: `its status is ${statusOf(watch.state)}, which is final.`,
    fix: "check that the host is a public name that points to the load balancer, and run again: this action then creates a new one and deletes this one.",
  });
}

function forbidden(watch: LoadBalancerWatch, status: string, found: DnsResult<CaaRecords>): ActionError {
  const { host } = watch.names;
  const seen = found.state === "resolved" ? `${found.domain} has ${found.records.join(", ")}` : "";
  return new ActionError(`DNS forbids Google to issue a certificate for ${host}.`, {
    why: `ManagedCertificate ${nameOf(watch)} is ${status}; the CAA records: ${seen}.`,
    fix: `add the CAA record \`0 issue "pki.goog"\` beside them, or use another kind of certificate.`,
  });
}

function tooLate(
  watch: LoadBalancerWatch,
  address: string,
  found: DnsResult<HostAddresses>,
  limit: number,
): ActionError {
  return new ActionError(
    `ManagedCertificate ${nameOf(watch)} is not Active after ${formatDuration(limit)}.`,
    {
      why: `it is ${statusOf(watch.state)}${adviceOn(watch, address, found)}.`,
      fix:
        domainStatusIn(watch.state) === "FailedRateLimited"
          ? "the certificate authority's rate limit for this domain is reached: run again later (Google keeps trying), or use another kind of certificate."
          : "correct DNS if it is wrong. Otherwise Google needs more time (up to an hour): raise certificate_timeout, or run again.",
    },
  );
}
