import {
  ApiException,
  ApiextensionsV1Api,
  CustomObjectsApi,
  type KubeConfig,
  type V1CustomResourceColumnDefinition,
  type V1CustomResourceDefinition,
  type V1JSONSchemaProps,
} from "@kubernetes/client-node";
import { isNotFound } from "./store.ts";

// The schemas of the real controllers: types only, without enumerations and limits. Unknown fields are
// pruned.
const string: V1JSONSchemaProps = { type: "string" };
const boolean: V1JSONSchemaProps = { type: "boolean" };
const int64: V1JSONSchemaProps = { type: "integer", format: "int64" };
const double: V1JSONSchemaProps = { type: "number", format: "double" };
const object = (properties: Record<string, V1JSONSchemaProps>): V1JSONSchemaProps => ({
  type: "object",
  properties,
});
const array = (items: V1JSONSchemaProps): V1JSONSchemaProps => ({ type: "array", items });

const backendConfigSpec = object({
  affinity: string,
  cdn: object({
    enabled: boolean,
    bypassCacheOnRequestHeaders: array(object({ headerName: string })),
    cacheMode: string,
    cachePolicy: object({
      includeHost: boolean,
      includeProtocol: boolean,
      includeQueryString: boolean,
      queryStringBlacklist: array(string),
      queryStringWhitelist: array(string),
    }),
    clientTtl: int64,
    defaultTtl: int64,
    maxTtl: int64,
    negativeCaching: boolean,
    negativeCachingPolicy: array(object({ code: int64, ttl: int64 })),
    requestCoalescing: boolean,
    serveWhileStale: int64,
    signedUrlCacheMaxAgeSec: int64,
    signedUrlKeys: array(object({ keyName: string, keyValue: string, secretName: string })),
  }),
  connectionDraining: object({ drainingTimeoutSec: int64 }),
  customRequestHeaders: object({ headers: array(string) }),
  customResponseHeaders: object({ headers: array(string) }),
  healthCheck: object({
    checkIntervalSec: int64,
    healthyThreshold: int64,
    port: int64,
    requestPath: string,
    timeoutSec: int64,
    type: string,
    unhealthyThreshold: int64,
  }),
  iap: object({
    enabled: boolean,
    oauthclientCredentials: object({ clientID: string, clientSecret: string, secretName: string }),
  }),
  logging: object({ enable: boolean, sampleRate: double }),
  securityPolicy: { ...object({ name: string }), nullable: true },
  sessionAffinity: object({ affinityCookieTtlSec: int64, affinityType: string }),
  timeoutSec: int64,
});

const frontendConfigSpec = object({
  redirectToHttps: object({ enabled: boolean, responseCodeName: string }),
  sslPolicy: string,
});

const managedCertificateSpec = object({
  domains: {
    type: "array",
    maxItems: 100,
    items: {
      type: "string",
      maxLength: 63,
      pattern: "^(([a-z0-9]+|[a-z0-9][-a-z0-9]*[a-z0-9])\\.)+[a-z][-a-z0-9]*[a-z0-9]$",
    },
  },
});

const managedCertificateStatus: V1JSONSchemaProps = {
  ...object({
    certificateName: string,
    certificateStatus: string,
    domainStatus: array({ ...object({ domain: string, status: string }), required: ["domain", "status"] }),
    expireTime: { type: "string", format: "date-time" },
  }),
};

interface Kind {
  group: string;
  kind: string;
  plural: string;
  shortNames: string[];
  /** The first version is the storage version. */
  versions: string[];
  schema: Record<string, V1JSONSchemaProps>;
  /** The columns of kubectl get after the name. */
  columns?: V1CustomResourceColumnDefinition[];
}

const KINDS: Kind[] = [
  {
    group: "cloud.google.com",
    kind: "BackendConfig",
    plural: "backendconfigs",
    shortNames: ["bc"],
    versions: ["v1", "v1beta1"],
    schema: { spec: backendConfigSpec, status: { type: "object" } },
  },
  {
    group: "networking.gke.io",
    kind: "FrontendConfig",
    plural: "frontendconfigs",
    shortNames: [],
    versions: ["v1beta1"],
    schema: { spec: frontendConfigSpec, status: { type: "object" } },
  },
  {
    group: "networking.gke.io",
    kind: "ManagedCertificate",
    plural: "managedcertificates",
    shortNames: ["mcrt"],
    versions: ["v1"],
    schema: { spec: managedCertificateSpec, status: managedCertificateStatus },
    columns: [
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      {
        name: "Status",
        type: "string",
        description: "Status of the managed certificate",
        jsonPath: ".status.certificateStatus",
      },
    ],
  },
];

const POLL_MS = 25;

/** Creates the CRDs of GKE's load balancing and waits until the API server serves them. */
export async function createCrds(kubeConfig: KubeConfig, signal: AbortSignal): Promise<void> {
  await Promise.all(KINDS.map((kind) => untilServed(kubeConfig, kind, signal)));
}

async function createCrd(kubeConfig: KubeConfig, kind: Kind): Promise<void> {
  const api = kubeConfig.makeApiClient(ApiextensionsV1Api);
  try {
    await api.createCustomResourceDefinition({ body: definition(kind) });
  } catch (error) {
    // The CRD may exist from an earlier start of the controllers.
    if (!(error instanceof ApiException && error.code === 409)) throw error;
  }
}

/** Deletes the CRDs and all their objects, as on a cluster without the load balancing add-on. */
export async function deleteCrds(kubeConfig: KubeConfig): Promise<void> {
  const api = kubeConfig.makeApiClient(ApiextensionsV1Api);
  await Promise.all(
    KINDS.map(async (kind) => {
      try {
        await api.deleteCustomResourceDefinition({ name: name(kind) });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }),
  );
}

async function untilServed(kubeConfig: KubeConfig, kind: Kind, signal: AbortSignal): Promise<void> {
  const api = kubeConfig.makeApiClient(CustomObjectsApi);
  for (const version of kind.versions) {
    while (!signal.aborted) {
      // A CRD that is being deleted must be created again, so this is part of the loop.
      await createCrd(kubeConfig, kind);
      try {
        await api.listCustomObjectForAllNamespaces({
          group: kind.group,
          version,
          resourcePlural: kind.plural,
        });
        break;
      } catch (error) {
        // 404 until the CRD is established, 429 while its storage is initializing.
        if (!(error instanceof ApiException && (error.code === 404 || error.code === 429))) throw error;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }
}

function definition(kind: Kind): V1CustomResourceDefinition {
  const schema = object({ apiVersion: string, kind: string, metadata: { type: "object" }, ...kind.schema });
  return {
    metadata: { name: name(kind) },
    spec: {
      group: kind.group,
      scope: "Namespaced",
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: kind.shortNames,
      },
      versions: kind.versions.map((version, index) => ({
        name: version,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: schema },
        ...(kind.columns && { additionalPrinterColumns: kind.columns }),
      })),
    },
  };
}

function name(kind: Kind): string {
  return `${kind.plural}.${kind.group}`;
}
