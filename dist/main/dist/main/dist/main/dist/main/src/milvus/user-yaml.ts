import { type Document, isAlias, isScalar, isMap as isYamlMapNode, parseDocument } from "yaml";
import { ActionError } from "../base/errors.ts";
import { DEFAULT_GRPC_PORT, HTTP_ENABLED, HTTP_PORT, PROXY_PORT, TLS_MODE } from "./setting-names.ts";
import {
  invalidUserYaml,
  isHttpEnabled,
  isNull,
  parseUserYaml,
  pathOf,
  pathsOf,
  scalarAt,
} from "./user-yaml-document.ts";

/** The port given to Milvus's REST server, as on Milvus's own TLS page. */
const REST_PORT = 8080;

/**
 * Returns Milvus's `user.yaml` with the settings that a Google load balancer needs. Everything else stays as
 * it is, with comments and order. A text that already has these settings is returned unchanged.
 *
 * - `common.security.tlsMode: 1`: the load balancer speaks HTTP/2 to a backend only over TLS.
 * - `proxy.http.port`: by default Milvus's REST and gRPC servers share a port. With TLS, Milvus from 2.5 on
 *   then panics (milvus-io/milvus#46312); before 2.5, the REST server doesn't start.
 *
 * @param text the deployed `user.yaml`, undefined if there is none
 * @throws ActionError if the text doesn't parse (line and column), or has a setting that the load balancer
 *   can't support
 */
export function withTls(text: string | undefined): string {
  const original = text ?? "";
  const document = parseUserYaml(original);
  refuseAliases(document);
  for (const setting of [TLS_MODE, HTTP_ENABLED, HTTP_PORT, PROXY_PORT]) pathOf(document, setting);

  const tlsMode = scalarAt(document, TLS_MODE);
  if (tlsMode === "2") {
    throw new ActionError(
      'The release\'s extraConfigFiles."user.yaml" has common.security.tlsMode: 2 (mutual TLS): Milvus then asks every client for a certificate.',
      {
        why: "Google's load balancer terminates the clients' TLS and has no client certificate for Milvus.",
        fix: "set common.security.tlsMode to 1 in user.yaml, or keep Milvus behind its layer-4 load balancer.",
      },
    );
  }

  const needsTls = tlsMode !== "1";
  const isServed = isHttpEnabled(document);
  const httpPort = scalarAt(document, HTTP_PORT);
  const needsHttpPort = isServed && httpPort === "";
  if (isServed && httpPort !== "" && httpPort === (scalarAt(document, PROXY_PORT) || DEFAULT_GRPC_PORT)) {
    throw new ActionError(
      `The release's extraConfigFiles."user.yaml" has proxy.http.port: ${httpPort}, the port of Milvus's gRPC server.`,
      {
        why: "with TLS, Milvus panics when its REST and gRPC servers share a port (milvus-io/milvus#46312).",
        fix: `give proxy.http.port another value, e.g. ${REST_PORT}, or set proxy.http.enabled: false.`,
      },
    );
  }
  if (!needsTls && !needsHttpPort) return original;
  if (needsTls) setAt(document, TLS_MODE, "1");
  if (needsHttpPort) setAt(document, HTTP_PORT, String(REST_PORT));
  return document.toString({ lineWidth: 0 });
}

/** What {@link withTls} sets. */
const OURS: readonly { setting: string[]; value: string }[] = [
  { setting: TLS_MODE, value: "1" },
  { setting: HTTP_PORT, value: String(REST_PORT) },
];

/**
 * Returns a `user.yaml` without the settings of {@link withTls}. Everything else stays as it is. Undefined if
 * there was no text before and nothing else was added.
 *
 * @param former the text from before this action
 */
export function withoutTls(text: string, former: unknown): string | undefined {
  const before = typeof former === "string" ? former : undefined;
  const document = parseDocument(text, { schema: "failsafe" });
  // A text that doesn't parse is not one that withTls wrote.
  if (document.errors.length > 0) return text;
  const old = parseDocument(before ?? "", { schema: "failsafe" });
  const isReadable = old.errors.length === 0;
  if (isReadable && text === withTlsIfPossible(before)) return before;
  for (const { setting, value } of OURS) {
    const [path = setting] = pathsOf(document, setting);
    // Somebody set another value since.
    if (String(document.getIn(path)) !== value) continue;
    const [former] = isReadable ? pathsOf(old, setting) : [];
    if (former) document.setIn(path, old.getIn(former));
    else removeAt(document, path);
  }
  const isEmpty =
    document.contents === null || (isYamlMapNode(document.contents) && document.contents.items.length === 0);
  return isEmpty ? before : document.toString({ lineWidth: 0 });
}

/** Refuses YAML aliases in the way: changing them would also change another part of the text. */
function refuseAliases(document: Document): void {
  for (const path of [["common"], ["common", "security"], ["proxy"], ["proxy", "http"]]) {
    const node = document.getIn(path, true);
    if (isAlias(node) || (isYamlMapNode(node) && node.has("<<")))
      throw shared(`has a YAML alias at ${path.join(".")}`);
    // `common:` with nothing below it holds null, under which nothing can be set.
    if (isNull(node)) document.setIn(path, document.createNode({}));
    else if (node !== undefined && !isYamlMapNode(node)) {
      throw invalidUserYaml(`has ${path.join(".")} as a plain value instead of a map`);
    }
  }
}

function setAt(document: Document, setting: readonly string[], value: string): void {
  const path = pathOf(document, setting);
  const node = document.getIn(path, true);
  if (isScalar(node) && node.anchor) throw shared(`has a YAML anchor at ${path.join(".")}`);
  document.setIn(path, value);
}

/** Returns {@link withTls} of a text, undefined if that refuses the text. */
function withTlsIfPossible(text: string | undefined): string | undefined {
  try {
    return withTls(text);
  } catch (error) {
    if (error instanceof ActionError) return undefined;
    throw error;
  }
}

/** Removes a key, and the maps that become empty. */
function removeAt(document: Document, path: readonly string[]): void {
  if (path.length === 0 || !document.hasIn(path)) return;
  document.deleteIn(path);
  const above = document.getIn(path.slice(0, -1), true);
  if (path.length > 1 && isYamlMapNode(above) && above.items.length === 0)
    removeAt(document, path.slice(0, -1));
}

function shared(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    why: "a change there would also change another part of the file, or hide what is merged in.",
    fix: "write it out without YAML anchors and aliases, with the input values.",
  });
}
