import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import * as v from "valibot";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { filesIn } from "../../local-gke/control-plane/programs.ts";
import { type Gate, startGate } from "../../local-gke/faults/gate.ts";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { useCluster } from "./support/cluster.ts";
import { expectSuccess } from "./support/results.ts";

const NAMESPACE = "quiet";
const HOUR_MS = 3_600_000;
/** 41 minutes pass in 4 seconds. */
const CLOCK_FACTOR = 600;
/** What the wait watches: the Ingress, the Service, the certificate's Secret, and events. */
const WATCHED = ["events", "ingresses", "secrets", "services"];

const Kubeconfig = v.object({
  clusters: v.tuple([
    v.object({ cluster: v.object({ server: v.string(), "certificate-authority-data": v.string() }) }),
  ]),
});
const AuditEvent = v.object({
  auditID: v.string(),
  verb: v.string(),
  userAgent: v.optional(v.string(), ""),
  requestReceivedTimestamp: v.string(),
  objectRef: v.optional(v.object({ namespace: v.optional(v.string()), resource: v.string() })),
});

const cluster = useCluster();
beforeAll(() => cluster.installSmall(NAMESPACE));

/** Opens a gate in front of the API server, and returns a kubeconfig that leads through it. */
async function gated(): Promise<{ gate: Gate; kubeconfig: string }> {
  const whole = await readFile(cluster.gke.kubeconfig, "utf8");
  const [{ cluster: direct }] = v.parse(Kubeconfig, parse(whole)).clusters;
  const authority = direct["certificate-authority-data"];
  const gate = await startGate(direct.server, Buffer.from(authority, "base64").toString());
  onTestFinished(() => gate.close());
  const own = Buffer.from(gate.certificate ?? "").toString("base64");
  return { gate, kubeconfig: whole.replace(direct.server, gate.url).replace(authority, own) };
}

/** Notes what kubectl, and the action through it, asks the API server from now on about the namespace. */
async function requestsFromNow(): Promise<() => Promise<string[]>> {
  const log = filesIn(cluster.gke.directory).auditLog;
  const { size: start } = await stat(log);
  const begun = new Date().toISOString();
  return async () => {
    const lines = (await text(createReadStream(log, { start }))).split("\n").slice(0, -1);
    const events = lines
      .filter((line) => line.includes(`"namespace":"${NAMESPACE}"`) && line.includes("kubectl/"))
      .map((line) => v.parse(AuditEvent, JSON.parse(line)))
      .filter(({ requestReceivedTimestamp }) => requestReceivedTimestamp > begun);
    const requests = new Map(
      events.map(({ auditID, verb, objectRef }) => [auditID, `${verb} ${objectRef?.resource}`]),
    );
    return [...requests.values()].sort();
  };
}

test("41 minutes in which nothing happens: no request, a line every two minutes; one request per object to reconnect", async () => {
  await cluster.setTime("addressDelayMs", HOUR_MS);
  const { gate, kubeconfig } = await gated();
  const clock = join(import.meta.dirname, "support/fast-clock.ts");
  const inputs = { cluster_name: "", location: "", kubeconfig, address_timeout: "2h" };
  const environment = { NODE_OPTIONS: `--import=${clock}`, CLOCK_FACTOR: `${CLOCK_FACTOR}` };
  const step = await cluster.start(NAMESPACE, inputs, { google: false, environment });
  await step.line(/^::group::Wait for the address/);

  const asked = await requestsFromNow();
  step.kill("SIGUSR2");
  await step.line(/^4[1-9]m.* of 2h: /);
  expect(await asked()).toEqual([]);
  step.kill("SIGUSR2");

  gate.cut();
  await expect.poll(asked).toEqual(WATCHED.map((kind) => `watch ${kind}`));
  step.kill("SIGUSR2");
  await step.line(/^1h.* of 2h: /);
  step.kill("SIGUSR2");
  expect(await asked()).toEqual(WATCHED.map((kind) => `watch ${kind}`));

  await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);
  const { lines } = expectSuccess(await step.ended);
  const progress = lines.filter((line) => / of 2h: /.test(line));
  expect(progress[0]).toContain(`waiting for the address of Ingress ${NAMESPACE}/my-release-milvus; `);
  const rest = progress.slice(1).map((line) => line.replace(/^.* of 2h: /, ""));
  expect(rest.every((line) => line === "nothing has changed.")).toBe(true);
  // One after half a minute, then one every two minutes.
  expect(progress.length).toBeLessThanOrEqual(32);
});
