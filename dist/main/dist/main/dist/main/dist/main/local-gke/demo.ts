import { mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { CancelledError, messageOf } from "../src/base/errors.ts";
import { type Program, run } from "../src/base/process.ts";
import { logView } from "../src/by-hand/log-view.ts";
import { resultTable } from "../src/by-hand/result.ts";
import { type LocalGke, up } from "./cluster.ts";
import { milvusChart } from "./milvus-chart.ts";
import { prepare } from "./prepare.ts";
import { installRelease } from "./release.ts";
import { type ActionRun, runAction } from "./run-action.ts";
import { sayOn } from "./say.ts";
import { table } from "./table.ts";

const USAGE =
  "Usage: npm run demo [-- --chart PATH]\n\n" +
  "  --chart PATH   the Milvus chart to use; default: Milvus's chart if it can be downloaded";
const TOKEN = "root:Milvus";
const RELEASE = "my-release";

const say = sayOn(process.stdout);
/** Indented entries are parts of the entry above them. */
const durations: [what: string, milliseconds: number][] = [];
const interrupted = new AbortController();
const { signal } = interrupted;
// `on`, not `once`: npm forwards a terminal's Ctrl-C, so the signal arrives twice.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => interrupted.abort(new CancelledError(name)));
}

try {
  const { values } = parseArgs({ options: { chart: { type: "string" } } });
  await demo(values.chart === undefined ? undefined : resolve(values.chart));
} catch (error) {
  say(styleText("red", signal.aborted ? "Interrupted. The local GKE is removed." : messageOf(error)));
  if (error instanceof TypeError && "code" in error) say(USAGE);
  process.exitCode = signal.aborted ? 130 : 1;
}

async function demo(givenChart: string | undefined): Promise<void> {
  title("Milvus on GKE behind a layer-7 load balancer");
  say(
    "Everything runs on this machine: a real Kubernetes control plane, Helm, kubectl and Milvus, with stand-ins\n" +
      "for Google's services. The first run downloads the programs or builds them from source, which can\n" +
      "take some minutes. Later runs use the cached programs.",
  );
  const { helm4: helm, kubectl } = await timed("programs", () =>
    prepare(["helm4", "kubectl"], { say, signal }),
  );
  const chart = givenChart ?? (await milvusChart(helm, say));
  const gke = await timed("local GKE up", () => up({ say, signal }));
  try {
    await show(gke, chart, { helm, kubectl });
  } finally {
    await timed("local GKE down", () => gke.down());
  }

  title("Durations");
  say(table(durations.map(([what, milliseconds]) => [what, seconds(milliseconds)])));
  say(styleText("green", "\nThe demo succeeded. Nothing is left running."));
}

async function show(gke: LocalGke, chart: string, tools: { helm: string; kubectl: string }): Promise<void> {
  const call = caller(gke, tools);

  title("A Milvus release before the first step of Milvus's guide");
  await timed("Milvus installed", () =>
    installRelease({ kubeconfig: gke.kubeconfig, helm: tools.helm, chart, release: RELEASE, signal }),
  );
  await call("helm", "list");
  await call("kubectl", "get", "service", "--selector=app.kubernetes.io/name=milvus");
  await call("helm", "get", "values", RELEASE);

  const job = join(gke.directory, "job");
  await mkdir(job);
  const run = (what: string) => deploy(what, gke, chart, Object.values(tools), job);

  title("The action, as a workflow's step: uses: ./");
  const first = await run("action");
  expect("output changed of the first run", first.outputs.changed, "true");
  await call("helm", "get", "values", RELEASE);
  await call("kubectl", "get", "ingress/my-release-milvus", "service/my-release-milvus");

  title("PyMilvus through the load balancer");
  await timed("PyMilvus inserts and searches", () => checkWithPyMilvus(gke, first));

  title("The same step once more");
  const again = await run("action again");
  expect("output changed of the second run", again.outputs.changed, "false");
  expect(
    "output release_revision of the second run",
    again.outputs.release_revision,
    first.outputs.release_revision,
  );
  say("The second run changed nothing: no Helm upgrade, no new object, the same address.");

  for (const step of [again, first]) expect("exit code of the post step", await step.post(), 0);
}

/** Runs the action's main step and streams its log. */
async function deploy(what: string, gke: LocalGke, chart: string, tools: string[], directory: string) {
  const inputs = {
    host: "my-release.milvus.io",
    cluster_name: "my-cluster",
    location: "us-central1",
    release: RELEASE,
    chart,
    milvus_token: TOKEN,
    gcloud_version: "none",
  };
  say(table(Object.entries(inputs).map(([name, value]) => [`  ${name}:`.padEnd(18) + value])));
  const view = logView();
  const steps: typeof durations = [];
  let begun: { name: string; at: number } | undefined;
  const onLine = (line: string) => {
    const now = performance.now();
    const [, name] = /^::group::(.*)/.exec(line) ?? [];
    if (name !== undefined) begun = { name, at: now };
    else if (line === "::endgroup::" && begun) steps.push([`  ${begun.name}`, now - begun.at]);
    const text = view.show(line);
    if (text !== undefined) say(text);
  };
  const run = await runAction({ inputs, env: gke.env, tools, directory, onLine, signal });
  signal.throwIfAborted();
  durations.push([what, run.milliseconds], ...steps);
  expect("exit code of the action", run.exitCode, 0);

  say(styleText("bold", "▸ Outputs"));
  say(resultTable(run.outputs));
  return run;
}

async function checkWithPyMilvus(gke: LocalGke, { outputs }: ActionRun): Promise<void> {
  const { uri = "", host = "", ca_certificate_file = "" } = outputs;
  say(
    [
      "MilvusClient(",
      `    uri="${uri}",`,
      `    token="${TOKEN}",`,
      "    secure=True,",
      `    server_name="${host}",`,
      `    server_pem_path="${ca_certificate_file}",`,
      ")",
    ].join("\n"),
  );
  const python: Program = {
    name: "pymilvus-check.py",
    path: gke.env.LOCAL_GKE_PYTHON ?? "python3",
    env: { URI: uri, HOST: host, CA_FILE: ca_certificate_file, MILVUS_TOKEN: TOKEN },
  };
  await succeed(python, [join(import.meta.dirname, "pymilvus-check.py")]);
}

/** Builds a function that runs helm or kubectl on the local GKE and prints the command and its output. */
function caller(gke: LocalGke, tools: { helm: string; kubectl: string }) {
  return async (name: "helm" | "kubectl", ...args: string[]) => {
    say(styleText("dim", `$ ${[basename(tools[name]), ...args].join(" ")}`));
    await succeed({ name, path: tools[name], env: { KUBECONFIG: gke.kubeconfig } }, args);
    say("");
  };
}

async function succeed(program: Program, args: string[]): Promise<void> {
  const { exitCode, stderr } = await run(program, args, { onLine: say, signal });
  signal.throwIfAborted();
  if (exitCode !== 0) throw new Error(`${program.name} ended with exit code ${exitCode}:\n${stderr}`);
}

function expect(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`The demo failed: ${what} is ${found}, expected ${wanted}.`);
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  durations.push([what, performance.now() - started]);
  return result;
}

function title(text: string): void {
  say(styleText(["bold", "cyan"], `\n━━ ${text} ${"━".repeat(Math.max(0, 90 - text.length))}`));
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
