import { createServer, get, type IncomingMessage, type RequestListener } from "node:http";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { DISTURBANCES } from "../../local-gke/faults/disturbances.ts";
import { type Gate, startGate } from "../../local-gke/faults/gate.ts";
import { reliabilityPage } from "../../local-gke/faults/page.ts";
import { faultsOf } from "../../local-gke/faults/trial.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";

const SUCCEEDED = { exitCode: 0, errors: [], log: [] };
const FAILED = { exitCode: 1, errors: ["The disk is full."], log: [] };
const REFUSAL = { error: /disk/, title: "error: the disk" };
const SUCCESS = { success: true, title: "success" } as const;

test.each([
  ["success, as expected", SUCCEEDED, SUCCESS, []],
  ["the right error", FAILED, REFUSAL, []],
  ["an unexpected success", SUCCEEDED, REFUSAL, ["it succeeded"]],
  ["an unexpected error", FAILED, SUCCESS, ["it failed: The disk is full."]],
  ["another error", FAILED, { ...REFUSAL, error: /memory/ }, ["it printed another error: The disk is full."]],
  [
    "two errors",
    { ...FAILED, errors: ["The disk is full.", "So is the other disk."] },
    REFUSAL,
    ["it printed 2 errors: The disk is full.; So is the other disk."],
  ],
  [
    "a stack trace",
    { ...FAILED, log: ["    at write (node:fs:10:2)"] },
    REFUSAL,
    ["it printed a stack trace: at write (node:fs:10:2)"],
  ],
])("a run that ends with %s", (_, run, expected, wrong) => {
  expect(faultsOf(run, expected)).toEqual(wrong);
});

test("the page has no path of the machine and no name of a test's namespace", () => {
  const [disturbance] = DISTURBANCES;
  if (!disturbance) throw new Error("there is no disturbance");
  const seen = "Ingress cell-3-helm4/my-release has no address; see /tmp/job-1/temp/file | <x>";
  const page = reliabilityPage(
    [],
    [{ disturbance, helm: "helm4", seen, milliseconds: 1234, wrong: [], log: [] }],
  );
  expect(page).toContain(
    "| success | Ingress NAMESPACE/my-release has no address; see …/file \\| &lt;x> | 1.2s |\n",
  );
});

async function gated(handle: RequestListener): Promise<Gate> {
  const server = createServer(handle);
  const gate = await startGate(`http://127.0.0.1:${await listenOnFreePort(server)}`);
  onTestFinished(async () => {
    await gate.close();
    server.close();
    server.closeAllConnections();
  });
  return gate;
}

/** Asks over a new connection. */
async function ask(gate: Gate): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(gate.url, { agent: false }, resolve).on("error", reject);
  });
  return response.statusCode === 200 ? text(response) : String(response.statusCode);
}

test("a gate fails as it is asked to, and passes requests on again", async () => {
  const gate = await gated((_, response) => response.end("behind the gate"));
  expect(await ask(gate)).toBe("behind the gate");
  gate.respond(429);
  expect(await ask(gate)).toBe("429");
  await gate.shut();
  await expect(ask(gate)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await gate.open();
  expect(await ask(gate)).toBe("behind the gate");
});

test("a gate that is cut ends the requests under way, and no later ones", async () => {
  const arrived = Promise.withResolvers<void>();
  let requests = 0;
  const gate = await gated((_, response) => {
    requests += 1;
    // Only the first request waits for ever.
    if (requests > 1) response.end("behind the gate");
    arrived.resolve();
  });
  const waiting = expect(ask(gate)).rejects.toMatchObject({ code: "ECONNRESET" });
  await arrived.promise;
  gate.cut();
  await waiting;
  expect(await ask(gate)).toBe("behind the gate");
});
