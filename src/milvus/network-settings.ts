import { parseDocument } from "yaml";
import { HTTP_PORT, TLS_MODE } from "./setting-names.ts";
import { isHttpEnabled, scalarAt } from "./user-yaml-document.ts";

/** How clients reach Milvus's pods. */
export interface NetworkSettings {
  tls: boolean;
  /** Whether Milvus serves its REST API. */
  http: boolean;
  /** The REST API's own port; empty if it shares the gRPC port. */
  httpPort: string;
}

/** Returns the network settings of a `user.yaml`. A text that doesn't parse counts as empty. */
export function networkSettings(text: string | undefined): NetworkSettings {
  const document = parseDocument(text ?? "", { schema: "failsafe" });
  return {
    tls: /^[12]$/.test(scalarAt(document, TLS_MODE)),
    http: isHttpEnabled(document),
    httpPort: scalarAt(document, HTTP_PORT),
  };
}
