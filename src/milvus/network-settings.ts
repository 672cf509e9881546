import { parseDocument } from "yaml";
import { HTTP_PORT, TLS_MODE } from "./setting-names.ts";
import { isHttpEnabled, scalarAt } from "./user-yaml-document.ts";

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
    httpPort: scalarAt(document, HTTP_PORT),
  };
}
