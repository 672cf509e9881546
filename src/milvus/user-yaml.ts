import {
  type Document,
  isAlias,
  isScalar,
  isMap as isYamlMapNode,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import { ActionError } from "../errors.ts";

/** Where Milvus's REST server listens instead of sharing the gRPC port, as Milvus's own TLS page has it. */
const HTTP_PORT = 8080;

/**
 * Returns Milvus's `user.yaml` with what a Google load balancer needs laid over it; everything else in it, comments
 * and order included, stays as it is. A text that already has what is needed is returned unchanged.
 *
 * - `common.security.tlsMode: 1`: the load balancer speaks HTTP/2 to a backend only over TLS.
 * - `proxy.http.port`: with TLS, Milvus from 2.5 on panics when its REST and gRPC servers share a port, which they do
 *   by default (milvus-io/milvus#46312).
 *
 * @param text the deployed `user.yaml`, undefined when there is none
 * @throws ActionError when the text doesn't parse (line and column), or asks for what the load balancer can't do
 */
export function withTls(text: string | undefined): string {
  const original = text ?? "";
  const lines = new LineCounter();
  // Without types every scalar is written back as it stands: `0755` would become 755, which Milvus reads otherwise.
  const document = parseDocument(original, { schema: "failsafe", lineCounter: lines });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw invalid(
      `is not valid YAML at line ${line}, column ${col}: ${problem.message.split(" at line ")[0]}`,
    );
  }
  if (document.contents !== null && !isYamlMapNode(document.contents)) {
    if (!isNull(document.contents)) throw invalid("is not a map");
    document.contents = null;
  }

  // A key without a value (`{a}`) has no node, which can't be written back without types.
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) throw invalid(`uses the alias *${alias.source}, which it doesn't define`);
    },
    Pair: (_, pair) => {
      pair.value ??= document.createNode("");
    },
  });
  for (const path of [["common"], ["common", "security"], ["proxy"], ["proxy", "http"]]) {
    const node = document.getIn(path, true);
    if (isAlias(node) || (isYamlMapNode(node) && node.has("<<"))) {
      throw new ActionError(
        `The release's extraConfigFiles."user.yaml" takes ${path.join(".")} from elsewhere with a YAML alias.`,
        {
          why: "what is set there would also change the other place, or hide what is merged in.",
          fix: "write it out with the input values.",
        },
      );
    }
    // `common:` with nothing below it holds null, under which nothing can be set.
    if (isNull(node)) document.setIn(path, document.createNode({}));
    else if (node !== undefined && !isYamlMapNode(node)) {
      throw invalid(`has ${path.join(".")} as a plain value instead of a map`);
    }
  }
  const value = (...path: string[]) => scalarAt(document, path);

  const tlsMode = value("common", "security", "tlsMode");
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
  const httpEnabled = value("proxy", "http", "enabled").toLowerCase() !== "false";
  const httpPort = value("proxy", "http", "port");
  const needsHttpPort = httpEnabled && httpPort === "";
  if (httpEnabled && httpPort !== "" && httpPort === (value("proxy", "port") || "19530")) {
    throw new ActionError(
      `The release's extraConfigFiles."user.yaml" has proxy.http.port: ${httpPort}, the port of Milvus's gRPC server.`,
      {
        why: "with TLS, Milvus panics when its REST and gRPC servers share a port (milvus-io/milvus#46312).",
        fix: `give proxy.http.port another value, e.g. ${HTTP_PORT}, or set proxy.http.enabled: false.`,
      },
    );
  }
  if (!needsTls && !needsHttpPort) return original;
  if (needsTls) document.setIn(["common", "security", "tlsMode"], "1");
  if (needsHttpPort) document.setIn(["proxy", "http", "port"], String(HTTP_PORT));
  return document.toString({ lineWidth: 0 });
}

/** What {@link withTls} sets. */
const OURS: readonly { path: string[]; value: string }[] = [
  { path: ["common", "security", "tlsMode"], value: "1" },
  { path: ["proxy", "http", "port"], value: String(HTTP_PORT) },
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
  for (const { path, value } of OURS) {
    // Another value was set since.
    if (String(document.getIn(path)) !== value) continue;
    if (isReadable && isYamlMapNode(old.contents) && old.hasIn(path)) document.setIn(path, old.getIn(path));
    else removeAt(document, path);
  }
  const isEmpty =
    document.contents === null || (isYamlMapNode(document.contents) && document.contents.items.length === 0);
  return isEmpty ? before : document.toString({ lineWidth: 0 });
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

/** How Milvus itself is reached. */
export interface NetworkSettings {
  tls: boolean;
  /** Whether it serves its REST API. */
  http: boolean;
  /** The REST API's own port; empty: it shares the gRPC port. */
  httpPort: string;
}

/** Returns how Milvus is reached, as its `user.yaml` has it. A text that doesn't parse says nothing. */
export function networkSettings(text: string | undefined): NetworkSettings {
  const document = parseDocument(text ?? "", { schema: "failsafe" });
  const value = (...path: string[]) => scalarAt(document, path);
  return {
    tls: /^[12]$/.test(value("common", "security", "tlsMode")),
    http: value("proxy", "http", "enabled").toLowerCase() !== "false",
    httpPort: value("proxy", "http", "port"),
  };
}

/** Returns the scalar at a path as it is written, empty when there is none. */
function scalarAt(document: Document, path: readonly string[]): string {
  const node = document.getIn(path, true);
  return isScalar(node) && !isNull(node) ? String(node.value) : "";
}

/** Tells null, in whichever way it is written, from a text of the same letters. */
function isNull(node: unknown): boolean {
  return isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL|)$/.test(String(node.value));
}

function invalid(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    fix: "correct it with the input values, as Milvus itself can't read it either.",
  });
}
