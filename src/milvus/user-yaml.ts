import {
  type Document,
  isAlias,
  isScalar,
  isMap as isYamlMapNode,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import { ActionError } from "../base/errors.ts";

/** Where Milvus's REST server listens instead of sharing the gRPC port, as Milvus's own TLS page has it. */
const HTTP_PORT = 8080;
/** Where Milvus serves gRPC when `proxy.port` says nothing. */
export const GRPC_PORT = "19530";

/** The settings that are looked at, where Milvus's own files have them. */
const TLS_MODE = ["common", "security", "tlsMode"];
const HTTP_ENABLED = ["proxy", "http", "enabled"];
const HTTP_PORT_SETTING = ["proxy", "http", "port"];
const PROXY_PORT = ["proxy", "port"];

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
  for (const setting of [TLS_MODE, HTTP_ENABLED, HTTP_PORT_SETTING, PROXY_PORT]) placeOf(document, setting);

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
  const httpPort = scalarAt(document, HTTP_PORT_SETTING);
  const needsHttpPort = isServed && httpPort === "";
  if (isServed && httpPort !== "" && httpPort === (scalarAt(document, PROXY_PORT) || GRPC_PORT)) {
    throw new ActionError(
      `The release's extraConfigFiles."user.yaml" has proxy.http.port: ${httpPort}, the port of Milvus's gRPC server.`,
      {
        why: "with TLS, Milvus panics when its REST and gRPC servers share a port (milvus-io/milvus#46312).",
        fix: `give proxy.http.port another value, e.g. ${HTTP_PORT}, or set proxy.http.enabled: false.`,
      },
    );
  }
  if (!needsTls && !needsHttpPort) return original;
  if (needsTls) setAt(document, TLS_MODE, "1");
  if (needsHttpPort) setAt(document, HTTP_PORT_SETTING, String(HTTP_PORT));
  return document.toString({ lineWidth: 0 });
}

/** Parses a text, without types: `0755` would be written back as 755 otherwise, which Milvus reads as another number. */
function parse(text: string): Document {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw unusable(
      problem.code,
      `line ${line}, column ${col}`,
      problem.message.split(/ at line |(?<=\w): | !/)[0] ?? "",
    );
  }
  if (document.contents !== null && !isYamlMapNode(document.contents)) {
    if (!isNull(document.contents)) throw invalid("is not a map");
    document.contents = null;
  }
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) throw invalid("uses an alias that it doesn't define");
    },
    // A key without a value (`{a}`) has no node, which can't be written back without types.
    Pair: (_, pair) => {
      pair.value ??= document.createNode("");
    },
  });
  return document;
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

/**
 * Returns where a document has a setting, which is where it belongs when it has none.
 *
 * @throws ActionError when it has several: Milvus takes any of them, another one at each start
 */
function placeOf(document: Document, setting: readonly string[]): readonly string[] {
  const [place = setting, ...others] = placesOf(document, setting);
  if (others.length === 0) return place;
  const places = [place, ...others].map((path) => path.map((key) => JSON.stringify(key)).join(": "));
  throw new ActionError(
    `The release's extraConfigFiles."user.yaml" sets ${setting.join(".")} more than once: ${places.join(", ")}.`,
    {
      why: "to Milvus these are the same setting, and at each start it takes one of them, whichever comes first.",
      fix: `keep one of them in user.yaml, as ${setting.join(": ")}.`,
    },
  );
}

/** Finds a setting in whatever spelling. */
function placesOf(document: Document, setting: readonly string[]): string[][] {
  const wanted = normalised(setting);
  const places: string[][] = [];
  const look = (node: unknown, path: string[]) => {
    if (isYamlMapNode(node)) {
      for (const { key, value } of node.items) if (isScalar(key)) look(value, [...path, String(key.value)]);
    } else if (normalised(path) === wanted) places.push(path);
  };
  look(document.contents, []);
  return places;
}

/** Milvus minds neither case nor `.`, `_` and `/` in the names of its settings (milvus-io/milvus, pkg/config, formatKey). */
export function normalised(path: readonly string[]): string {
  return path.join(".").toLowerCase().replace(/[/_.]/g, "");
}

/** What {@link withTls} sets. */
const OURS: readonly { setting: string[]; value: string }[] = [
  { setting: TLS_MODE, value: "1" },
  { setting: HTTP_PORT_SETTING, value: String(HTTP_PORT) },
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
  return {
    tls: /^[12]$/.test(scalarAt(document, TLS_MODE)),
    http: isHttpEnabled(document),
    httpPort: scalarAt(document, HTTP_PORT_SETTING),
  };
}

/** Returns a setting's scalar as it is written, empty when there is none. */
function scalarAt(document: Document, setting: readonly string[]): string {
  const node = nodeAt(document, setting);
  return isScalar(node) && !isNull(node) ? String(node.value) : "";
}

function nodeAt(document: Document, setting: readonly string[]): unknown {
  const [place = setting] = placesOf(document, setting);
  const node = document.getIn(place, true);
  return isAlias(node) ? node.resolve(document) : node;
}

/** Milvus reads YAML 1.1, and then what Go's strconv.ParseBool takes for true. */
function isHttpEnabled(document: Document): boolean {
  const node = nodeAt(document, HTTP_ENABLED);
  if (!isScalar(node)) return true;
  const text = String(node.value);
  return node.type === "PLAIN" ? /^(y|yes|on|true|t|1)$/i.test(text) : /^(1|t|T|true|True|TRUE)$/.test(text);
}

/** Tells null, in whichever way it is written, from a text of the same letters. */
function isNull(node: unknown): boolean {
  return isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL|)$/.test(String(node.value));
}

function shared(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    why: "what is set there would also change the other place, or hide what is merged in.",
    fix: "write it out with the input values.",
  });
}

/** Milvus is less strict than this: what it reads all the same is still not what its author means. */
function unusable(code: string, place: string, problem: string): ActionError {
  const ambiguity = {
    DUPLICATE_KEY: "a key is there twice, of which Milvus takes the last",
    MULTIPLE_DOCS: "another document begins, and Milvus takes one only",
  }[code];
  if (!ambiguity) return invalid(`is not valid YAML at ${place}: ${problem}`);
  return new ActionError(`The release's extraConfigFiles."user.yaml" is ambiguous at ${place}.`, {
    why: `${ambiguity}.`,
    fix: "merge them with the input values, so that each setting is there once.",
  });
}

function invalid(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    fix: "correct it with the input values, as Milvus itself can't read it either.",
  });
}
