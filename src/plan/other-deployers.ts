import { ActionError } from "../base/errors.ts";
import { asMap } from "../base/yaml.ts";
import type { Release } from "../helm/release.ts";
import { valueAt } from "../helm/values.ts";
import type { Deployer } from "../kubernetes/deployers.ts";
import { grpcPort } from "../milvus/grpc-port.ts";
import { loadBalancerValues, MILVUS_CHART } from "../milvus/values.ts";
import type { Observed } from "../observe/observed.ts";
import { valuesOverlay } from "./values-overlay.ts";

const GUIDE = 'docs/upgrades.md, "Flux, Argo CD, Milvus Operator"';

/** Where each tool has a release's values. */
const VALUES_IN = {
  Flux: "spec.values",
  "Argo CD": "spec.source.helm.valuesObject",
  "Milvus Operator": "spec",
};

/**
 * Refuses an upgrade that another tool would undo.
 *
 * @param reasons why the upgrade is needed; empty for none
 * @param overlay the values that the release needs
 * @throws ActionError naming the tool, and where it has its values
 */
export function refuseUndone(
  { release: { name, namespace }, deployer }: Pick<Observed, "release" | "deployer">,
  reasons: readonly string[],
  overlay: string,
): void {
  if (!deployer || reasons.length === 0) return;
  const { tool, object } = deployer;
  throw new ActionError(
    `Release ${name} in namespace ${namespace} is deployed by ${tool} (${object}); nothing was changed.`,
    {
      why: `${tool} sets its own values again, so that an upgrade by this action would not last. An upgrade is needed: ${reasons.join("; ")}.`,
      fix: `put the output values_overlay into ${VALUES_IN[tool]} of that ${object}, and run again once ${tool} has deployed it: this action then leaves the release alone, and makes the load balancer (${GUIDE}).\n${overlay}`,
    },
  );
}

/**
 * Refuses to give a release its former values back where another tool would undo that.
 *
 * @param deployer the tool that deploys the release, if there is one
 * @param paths the values that would be set back
 * @throws ActionError naming the tool, and where it has its values
 */
export function refuseRestoreUndone(
  { name, namespace }: Pick<Release, "name" | "namespace">,
  deployer: Deployer | undefined,
  paths: readonly string[],
): void {
  if (!deployer) return;
  const { tool, object } = deployer;
  throw new ActionError(
    `Release ${name} in namespace ${namespace} is deployed by ${tool} (${object}); nothing was changed.`,
    {
      why: `${tool} sets its own values again, so that what restore_layer4 restores would not last.`,
      fix: `leave restore_layer4 out, and set these values back in ${VALUES_IN[tool]} of that ${object}: ${paths.join(", ")}.`,
    },
  );
}

/**
 * Refuses a release that has Milvus as a subchart: its values are elsewhere, and an
 * upgrade needs the whole chart.
 *
 * @throws ActionError with the values that the release needs, where its chart has them
 */
export function refuseSubchart(
  release: Release,
  { service }: Pick<Observed, "service">,
  backendConfig: string,
): void {
  const { name, namespace, chart, chartVersion } = release;
  const { dependencies } = release.base?.chart.metadata ?? { dependencies: [] };
  const milvus = dependencies.find((dependency) => dependency.name === MILVUS_CHART);
  if (chart === MILVUS_CHART || !milvus) return;
  const key = milvus.alias ?? milvus.name;
  const values = asMap(valueAt(release.computedValues, key));
  const wanted = loadBalancerValues(values, grpcPort(service, values), backendConfig);
  throw new ActionError(
    `Milvus is a subchart of ${chart} in release ${name} in namespace ${namespace}; nothing was changed.`,
    {
      why: `the release has the chart ${chart} ${chartVersion}, where Milvus's values are below ${key}. This action sets values of Milvus's own chart only.`,
      fix: `put these values into those of ${chart} where you deploy it, with the load balancer's objects beside it (${GUIDE}), or give Milvus a release of its own.\n${valuesOverlay(wanted, release, key)}`,
    },
  );
}
