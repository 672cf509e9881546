import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/errors.ts";
import { down, list, up } from "./cluster.ts";
import { exportLines, githubEnvLines, statusLines } from "./control-plane/lines.ts";
import { milvusChart } from "./milvus-chart.ts";
import { prepare } from "./prepare.ts";
import { installRelease } from "./release.ts";
import { sayOnStderr } from "./say.ts";

const FORMATS = new Map([
  ["shell", exportLines],
  ["github-env", githubEnvLines],
]);

const USAGE = `Usage: npm run local-gke -- COMMAND [OPTIONS]

  up       starts a local GKE with a Milvus release and prints its environment
    --name NAME      default local-gke; several run side by side under different names
    --chart PATH     the Milvus chart to install; default: Milvus's chart or, if its repository can't be
                     reached, the small chart of local-gke
    --no-release     starts no Milvus release
    --format FORMAT  shell (the default): export commands; github-env: lines for a workflow's $GITHUB_ENV
  status   lists the local GKEs
  down     ends a local GKE and removes its files
    --name NAME      default local-gke
`;

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function main(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    allowNegative: true,
    options: {
      name: { type: "string", default: "local-gke" },
      chart: { type: "string" },
      release: { type: "boolean", default: true },
      format: { type: "string", default: "shell" },
    },
  });
  const [command, ...rest] = positionals;
  if (rest.length > 0) throw new Error(`"${rest.join(" ")}" is an unknown argument.\n\n${USAGE}`);
  switch (command) {
    case "up":
      return bringUp(values);
    case "down":
      return down(values.name);
    case "status":
      process.stdout.write(statusLines(await list()));
      return;
    default:
      throw new Error(USAGE);
  }
}

async function bringUp(options: {
  name: string;
  chart?: string;
  release: boolean;
  format: string;
}): Promise<void> {
  const { name } = options;
  const format = FORMATS.get(options.format);
  if (!format) throw new Error(`--format "${options.format}" is unknown.\n\n${USAGE}`);
  const start = performance.now();
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () =>
      interrupted.abort(new Error(`Interrupted (${signal}): ${name} is shutting down.`)),
    );
  }
  const { signal } = interrupted;

  const helm = options.release ? (await prepare(["helm4"], { signal })).helm4 : undefined;
  sayOnStderr(`${name}: starting`);
  const gke = await up({ name, owner: "none", signal });
  const env = { ...gke.env };
  try {
    if (helm) {
      const chart = options.chart === undefined ? await milvusChart(helm) : resolve(options.chart);
      sayOnStderr(`${name}: installing Milvus from ${chart}`);
      await installRelease({ kubeconfig: gke.kubeconfig, helm, signal, chart });
      env.LOCAL_GKE_CHART = chart;
    }
  } catch (error) {
    await gke.down();
    throw error;
  }
  sayOnStderr(`${name}: ready after ${((performance.now() - start) / 1000).toFixed(1)} s`);
  process.stdout.write(format(env));
}
