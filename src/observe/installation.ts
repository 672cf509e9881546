import * as v from "valibot";
import type { Job } from "../base/job.ts";
import type { Program } from "../base/process.ts";
import type { YamlMap } from "../base/yaml.ts";
import { fetchChart } from "../helm/chart.ts";
import { chartDefaults } from "../helm/chart-defaults.ts";
import { releaseToInstall } from "../helm/release.ts";
import { mergeValues, valueAt } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import { requestedValues } from "../inputs/values.ts";
import { Service } from "../kubernetes/objects.ts";
import { DEFAULT_SERVICE_PORT } from "../milvus/grpc-port.ts";
import type { ClusterState } from "./observed.ts";

/**
 * Describes a release that isn't installed yet, without values of its own, so that it is planned like any
 * other.
 *
 * @throws ActionError when the chart can't be fetched
 */
export async function observeInstallation(
  settings: Pick<
    Settings,
    "release" | "namespace" | "chart" | "chartRepository" | "chartLogin" | "chartVersion" | "values"
  >,
  { directory }: Pick<Job, "directory">,
  helm: Program,
): Promise<Pick<ClusterState, "release" | "service" | "isServiceToCome" | "chart">> {
  const {
    release: name,
    namespace,
    chart: wanted,
    chartRepository: repository,
    chartLogin: login,
  } = settings;
  const reference = { chart: wanted, repository, login, version: settings.chartVersion?.replace(/^v/, "") };
  const chart = await fetchChart(helm, reference, directory);
  const defaults = await chartDefaults(helm, chart);
  const effective = mergeValues(defaults.values, requestedValues(settings));
  return {
    chart,
    release: releaseToInstall(name, namespace, defaults),
    service: serviceToCome(name, namespace, defaults.name, effective),
    isServiceToCome: true,
  };
}

/**
 * Returns the Service that a chart will make (zilliztech/milvus-helm, templates/_helpers.tpl,
 * milvus.fullname).
 */
export function serviceToCome(
  release: string,
  namespace: string,
  chartName: string,
  values: YamlMap,
): Service {
  const text = (...path: string[]) => {
    const value = valueAt(values, ...path);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const chart = text("nameOverride") ?? chartName;
  const usual = release.includes(chart) ? release : `${release}-${chart}`;
  const name = (text("fullnameOverride") ?? usual).slice(0, 63).replace(/-$/, "");
  const port = valueAt(values, "service", "port");
  return v.parse(Service, {
    metadata: { name, namespace },
    spec: {
      type: text("service", "type"),
      ports: [
        {
          name: text("service", "portName") ?? DEFAULT_SERVICE_PORT.name,
          port: typeof port === "number" ? port : DEFAULT_SERVICE_PORT.port,
          targetPort: "milvus",
        },
      ],
    },
  });
}
