import { isMap as isYamlMapNode, LineCounter, parseDocument } from "yaml";
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
  const document = parseDocument(original, { intAsBigInt: true, lineCounter: lines });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw invalid(
      `is not valid YAML at line ${line}, column ${col}: ${problem.message.split(" at line ")[0]}`,
    );
  }
  if (document.contents !== null && !isYamlMapNode(document.contents)) {
    if (document.toJS() !== null) throw invalid("is not a map");
    document.contents = null;
  }

  const set = (path: string[], value: unknown) => {
    for (let depth = 1; depth < path.length; depth += 1) {
      const parent = path.slice(0, depth);
      const node = document.getIn(parent, true);
      // `common:` with nothing below it holds null, under which nothing can be set.
      if (document.hasIn(parent) && !isYamlMapNode(node)) {
        if (document.getIn(parent) !== null)
          throw invalid(`has ${parent.join(".")} as a plain value instead of a map`);
        document.setIn(parent, document.createNode({}));
      }
    }
    document.setIn(path, value);
  };
  const value = (...path: string[]): string => {
    const found = document.getIn(path);
    return found === undefined || found === null ? "" : String(found);
  };

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
  if (needsTls) set(["common", "security", "tlsMode"], 1);
  if (needsHttpPort) set(["proxy", "http", "port"], HTTP_PORT);
  return document.toString({ lineWidth: 0 });
}

function invalid(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    fix: "correct it with the input values, as Milvus itself can't read it either.",
  });
}
