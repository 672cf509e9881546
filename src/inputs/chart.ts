import { type Login, withoutLogin } from "../base/url.ts";
import type { InputReader } from "./reader.ts";

/** The Helm chart and where it is. */
export interface ChartSettings {
  /** A name, a path or an `oci://` reference. */
  chart: string;
  /** Undefined for a chart given by path or `oci://` reference. */
  chartRepository: string | undefined;
  /** The repository's user and password, if it has them. */
  chartLogin: Login | undefined;
  /** Undefined: the deployed one. */
  chartVersion: string | undefined;
  /** A program (Helm 3), a plugin's name (Helm 4); undefined: none. */
  postRenderer: string | undefined;
}

/** Reads the inputs about the chart. */
export function readChart(reader: InputReader): ChartSettings {
  const { mistakes, text, optional, refuse } = reader;
  const chartVersion = optional("chart_version");
  if (chartVersion && !/^v?\d+\.\d+\.\d+[-+.0-9A-Za-z]*$/.test(chartVersion)) {
    refuse("chart_version", "an exact chart version such as 5.0.19");
  }
  const chart = text("chart") || "milvus";
  if (chart.startsWith("-")) refuse("chart", "a chart's name, a path or an oci:// reference");
  // An @ in an OCI reference precedes the digest.
  const [, afterScheme = ""] = chart.split(/:\/\/(.*)/s);
  if (/@(?!sha256:)/.test(afterScheme)) {
    mistakes.push(
      "chart: has a user or a password in it: give the chart's name alone, and those in chart_repository, or log in with helm registry login beforehand for oci://",
    );
  }
  const repository = isChartName(chart) ? readRepository(reader) : undefined;
  return {
    chart,
    chartRepository: repository?.base,
    chartLogin: repository?.login,
    chartVersion,
    postRenderer: optional("post_renderer"),
  };
}

/** A chart's name needs a repository; a path and an `oci://` reference don't. */
function isChartName(chart: string): boolean {
  return (
    !/^(\.{0,2}[\\/]|[A-Za-z]:[\\/]|oci:\/\/|https?:\/\/)/.test(chart) &&
    !/[\\/]/.test(chart) &&
    chart !== "."
  );
}

function readRepository({ url, mistakes }: InputReader): ReturnType<typeof withoutLogin> | undefined {
  const given = url("chart_repository", "https://zilliztech.github.io/milvus-helm");
  // The reader has refused what is no URL.
  if (!URL.canParse(given)) return undefined;
  const repository = withoutLogin(given);
  const { login } = repository;
  if (login && (login.user === "" || login.password === "")) {
    mistakes.push("chart_repository has a user or a password, but not both: Helm needs both");
  }
  return repository;
}
