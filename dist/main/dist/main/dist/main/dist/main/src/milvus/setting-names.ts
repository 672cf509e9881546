/** Where Milvus serves gRPC when `proxy.port` is not set. */
export const DEFAULT_GRPC_PORT = "19530";

/** Paths of the settings that this action reads or sets, as in Milvus's own configuration files. */
export const TLS_MODE = ["common", "security", "tlsMode"];
export const AUTHORIZATION = ["common", "security", "authorizationEnabled"];
export const HTTP_ENABLED = ["proxy", "http", "enabled"];
export const HTTP_PORT = ["proxy", "http", "port"];
export const PROXY_PORT = ["proxy", "port"];

/**
 * Returns a setting's name in the form in which Milvus compares names: it ignores case and `.`, `_` and `/`
 * (milvus-io/milvus, pkg/config, formatKey).
 */
export function normalizedSetting(path: readonly string[]): string {
  return path.join(".").toLowerCase().replace(/[/_.]/g, "");
}
