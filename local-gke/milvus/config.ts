import { parse } from "yaml";

/** The part of Milvus's configuration that determines how its proxy listens. */
export interface ProxyConfig {
  /** `common.security.tlsMode`: 0 is plaintext, 1 is TLS, 2 asks clients for a certificate. */
  tlsMode: number;
  /** `common.security.authorizationEnabled` */
  authorization: boolean;
  /** `proxy.http.port`; undefined if HTTP has no port of its own. */
  restPort: number | undefined;
  /** The message of the panic that this configuration causes at the start, if any. */
  panic: string | undefined;
}

/**
 * Parses configuration files of Milvus. Later files override earlier ones. As in Milvus, keys are
 * case-insensitive, and HTTP shares the gRPC port unless it has its own (milvus-io/milvus#46312).
 *
 * @param files the contents of YAML files
 */
export function proxyConfig(files: string[]): ProxyConfig {
  const settings = new Map(files.flatMap(settingsIn));

  const tlsMode = Number(settings.get("common.security.tlsmode") ?? 0);
  const hasRest = isTrue(settings.get("proxy.http.enabled") ?? true);
  const port = settings.get("proxy.http.port");
  return {
    tlsMode,
    authorization: isTrue(settings.get("common.security.authorizationenabled")),
    restPort: hasRest && port ? Number(port) : undefined,
    panic:
      tlsMode > 0 && hasRest && !port
        ? "proxy server(http) and external grpc server share the same port, tls mode must be 0"
        : undefined,
  };
}

/** By the text of a file: most pods have the same files, and to parse one takes milliseconds. */
const parsed = new Map<string, [key: string, value: unknown][]>();

function settingsIn(file: string): [key: string, value: unknown][] {
  // Milvus's chart renders a key twice, e.g. `mq` with woodpecker.
  const settings = parsed.get(file) ?? [...leaves(parse(file, { uniqueKeys: false }))];
  parsed.set(file, settings);
  return settings;
}

function* leaves(node: unknown, path = ""): Generator<[string, unknown]> {
  if (typeof node !== "object" || node === null || Array.isArray(node)) {
    yield [path, node];
    return;
  }
  for (const [key, value] of Object.entries(node)) {
    yield* leaves(value, path ? `${path}.${key.toLowerCase()}` : key.toLowerCase());
  }
}

function isTrue(value: unknown): boolean {
  return String(value).toLowerCase() === "true";
}
