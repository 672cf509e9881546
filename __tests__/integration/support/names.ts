/*
 * The names of what release my-release has, and of what the action makes for it where no input says otherwise.
 */
export const SERVICE = "my-release-milvus";
export const STANDALONE = "my-release-milvus-standalone";
export const QUERY_NODE = "my-release-milvus-querynode";
export const DATA_NODE = "my-release-milvus-datanode";
export const PROXY = "my-release-milvus-proxy";

export const INGRESS = "my-release-milvus";
export const BACKEND_CONFIG = "my-release-backendconfig";
export const FRONTEND_CONFIG = "my-release-frontendconfig";
/** Of a Secret, or of a ManagedCertificate. */
export const CERTIFICATE = "my-release-milvus-tls";

/** The field manager of what the action applies. */
export const FIELD_MANAGER = "milvus-gke-load-balancer";
