import { type Document, isAlias, isScalar, isMap as isYamlMapNode, parseDocument } from "yaml";
import { ActionError } from "../base/errors.ts";
import { DEFAULT_GRPC_PORT, HTTP_ENABLED, HTTP_PORT, PROXY_PORT, TLS_MODE } from "./setting-names.ts";
import { invalid, isHttpEnabled, isNull, parse, placeOf, placesOf, scalarAt } from "./user-yaml-document.ts";

/** The port given to Milvus's REST server, as on Milvus's own TLS page. */
const REST_PORT = 8080;

/**
 * Returns Milvus's `user.yaml` with what a Google load balancer needs laid over it; everything else in it, comments
 * and order included, stays as it is. A text that already has what is needed is returned unchanged.
 *
 * - `common.security.tlsMode: 1`: the load balancer speaks HTTP/2 to a backend only over TLS.
 * - `proxy.http.port`: with TLS, Milvus from 2.5 on panics when its REST and gRPC servers share a port, which they do
 *   by default (milvus-io/milvus#46312); before, its REST server doesn't start.
 *
 * @param text the deployed `user.yaml`, undefined when there is none
 * @throws ActionError when the text doesn't parse (line and column), or asks for what the load balancer can't do
 */
export function withTls(text: string | undefined): string {
  const original = text ?? "";
  const document = parse(original);
  refuseAliases(document);
  for (const setting of [TLS_MODE, HTTP_ENABLED, HTTP_PORT, PROXY_PORT]) placeOf(document, setting);

  const tlsMode = scalarAt(document, TLS_MODE);
  if (tlsMode === "2") {
    throw new ActionError(
      'The release\'s extraConfigFiles."user.yaml" has common.security.tlsMode: 2 (mutual TLS), with which Milvus asks every client for a certificate.',
      {
        why: "Google's load balancer ends the clients' TLS and has no certificate to show to Milvus.",
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
 * Returns a `user.yaml` without what {@link withTls} has put into it, everything else as it stands; undefined when there
 * was none before and nothing else has come.
 *
 * @param former the text from before
 */
export function withoutTls(text: string, former: unknown): string | undefined {
  const before = typeof former === "string" ? former : undefined;
  const document = parseDocument(text, { schema: "failsafe" });
  // What Milvus itself can't read isn't what was put there.
  if (document.errors.length > 0) return text;
  const old = parseDocument(before ?? "", { schema: "failsafe" });
  const isReadable = old.errors.length === 0;
  if (isReadable && text === settled(before)) return before;
  for (const { setting, value } of OURS) {
    const [place = setting] = placesOf(document, setting);
    // Another value was set since.
    if (String(document.getIn(place)) !== value) continue;
    const [former] = isReadable ? placesOf(old, setting) : [];
    if (former) document.setIn(place, old.getIn(former));
    else removeAt(document, place);
  }
  const isEmpty =
    document.contents === null || (isYamlMapNode(document.contents) && document.contents.items.length === 0);
  return isEmpty ? before : document.toString({ lineWidth: 0 });
}

/** Refuses what can't be changed without changing another place too. */
function refuseAliases(document: Document): void {
  for (const path of [["common"], ["common", "security"], ["proxy"], ["proxy", "http"]]) {
    const node = document.getIn(path, true);
    if (isAlias(node) || (isYamlMapNode(node) && node.has("<<")))
      throw shared(`takes ${path.join(".")} from elsewhere with a YAML alias`);
    // `common:` with nothing below it holds null, under which nothing can be set.
    if (isNull(node)) document.setIn(path, document.createNode({}));
    else if (node !== undefined && !isYamlMapNode(node)) {
      throw invalid(`has ${path.join(".")} as a plain value instead of a map`);
    }
  }
}

function setAt(document: Document, setting: readonly string[], value: string): void {
  const place = placeOf(document, setting);
  const node = document.getIn(place, true);
  if (isScalar(node) && node.anchor) throw shared(`lets others take ${place.join(".")} with a YAML anchor`);
  document.setIn(place, value);
}

/** Returns a text {@link withTls}, undefined when that refuses it. */
function settled(text: string | undefined): string | undefined {
  try {
    return withTls(text);
  } catch (error) {
    if (error instanceof ActionError) return undefined;
    throw error;
  }
}

/** Removes a key, with the maps that are empty then. */
function removeAt(document: Document, path: readonly string[]): void {
  if (path.length === 0 || !document.hasIn(path)) return;
  document.deleteIn(path);
  const above = document.getIn(path.slice(0, -1), true);
  if (path.length > 1 && isYamlMapNode(above) && above.items.length === 0)
    removeAt(document, path.slice(0, -1));
}

function shared(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    why: "what is set there would also change the other place, or hide what is merged in.",
    fix: "write it out with the input values.",
  });
}
