import * as v from "valibot";

const Metadata = v.looseObject({
  name: v.string(),
  namespace: v.optional(v.string()),
  uid: v.optional(v.string()),
  resourceVersion: v.optional(v.string()),
  labels: v.optional(v.record(v.string(), v.string()), {}),
  annotations: v.optional(v.record(v.string(), v.string()), {}),
  finalizers: v.optional(v.array(v.string()), []),
  ownerReferences: v.optional(v.array(v.looseObject({ kind: v.string(), name: v.string() })), []),
  deletionTimestamp: v.optional(v.string()),
});

/** An item of a list, which may lack its kind. */
export const ListedObject = v.looseObject({ metadata: Metadata });
export type ListedObject = v.InferOutput<typeof ListedObject>;

/** An object of any kind, with the fields that all kinds share. */
export const KubernetesObject = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: Metadata,
});
export type KubernetesObject = v.InferOutput<typeof KubernetesObject>;

/** Returns a predicate for the kind and name of a manifest, among objects of one namespace. */
export function isOf(manifest: { kind: string; metadata: { name: string } }) {
  return ({ kind, metadata }: KubernetesObject): boolean =>
    kind === manifest.kind && metadata.name === manifest.metadata.name;
}

/** A list as kubectl prints it: the items carry their own kind. */
export const KubernetesList = v.looseObject({
  kind: v.string(),
  metadata: v.optional(v.looseObject({ resourceVersion: v.optional(v.string()) })),
  /** Go writes an empty list of metadata as null. */
  items: v.nullish(v.array(v.unknown()), () => []),
});

export const Service = v.looseObject({
  metadata: Metadata,
  spec: v.looseObject({
    type: v.optional(v.string(), "ClusterIP"),
    clusterIP: v.optional(v.string()),
    selector: v.optional(v.record(v.string(), v.string()), {}),
    loadBalancerSourceRanges: v.optional(v.array(v.string()), []),
    ports: v.optional(
      v.array(
        v.looseObject({
          name: v.optional(v.string(), ""),
          port: v.number(),
          targetPort: v.optional(v.union([v.string(), v.number()])),
        }),
      ),
      [],
    ),
  }),
  status: v.optional(
    v.looseObject({
      loadBalancer: v.optional(
        v.looseObject({
          ingress: v.optional(
            v.array(v.looseObject({ ip: v.optional(v.string()), hostname: v.optional(v.string()) })),
            [],
          ),
        }),
        {},
      ),
    }),
    {},
  ),
});
export type Service = v.InferOutput<typeof Service>;

const IngressBackend = v.looseObject({ service: v.optional(v.looseObject({ name: v.string() })) });

export const Ingress = v.looseObject({
  metadata: Metadata,
  spec: v.optional(
    v.looseObject({
      ingressClassName: v.optional(v.string()),
      defaultBackend: v.optional(IngressBackend),
      tls: v.optional(v.array(v.looseObject({ secretName: v.optional(v.string()) })), []),
      rules: v.optional(
        v.array(
          v.looseObject({
            host: v.optional(v.string()),
            http: v.optional(
              v.looseObject({
                paths: v.optional(v.array(v.looseObject({ backend: IngressBackend })), []),
              }),
            ),
          }),
        ),
        [],
      ),
    }),
    {},
  ),
  status: v.optional(
    v.looseObject({
      loadBalancer: v.optional(
        v.looseObject({ ingress: v.optional(v.array(v.looseObject({ ip: v.optional(v.string()) })), []) }),
      ),
    }),
  ),
});
export type Ingress = v.InferOutput<typeof Ingress>;

export const Secret = v.looseObject({
  metadata: Metadata,
  type: v.optional(v.string(), "Opaque"),
  data: v.optional(v.record(v.string(), v.string()), {}),
});
export type Secret = v.InferOutput<typeof Secret>;

/** A request for a Google-managed certificate (networking.gke.io/v1). GKE's controller writes the status. */
export const ManagedCertificate = v.looseObject({
  metadata: Metadata,
  spec: v.looseObject({ domains: v.optional(v.array(v.string()), []) }),
  status: v.optional(
    v.looseObject({
      /** The name of Google's certificate resource. */
      certificateName: v.optional(v.string(), ""),
      certificateStatus: v.optional(v.string(), ""),
      domainStatus: v.optional(v.array(v.looseObject({ domain: v.string(), status: v.string() })), []),
      expireTime: v.optional(v.string(), ""),
    }),
    {},
  ),
});
export type ManagedCertificate = v.InferOutput<typeof ManagedCertificate>;

/** An event of the core API. If the same thing happens again, the API server changes the object. */
export const Event = v.looseObject({
  metadata: Metadata,
  type: v.optional(v.string(), "Normal"),
  reason: v.optional(v.string(), ""),
  message: v.optional(v.string(), ""),
  lastTimestamp: v.optional(v.nullable(v.string())),
  eventTime: v.optional(v.nullable(v.string())),
  involvedObject: v.looseObject({ kind: v.optional(v.string(), ""), name: v.optional(v.string(), "") }),
});
export type Event = v.InferOutput<typeof Event>;

/**
 * Sorts events by their times. They are all UTC, so plain texts compare rightly. `localeCompare` would first
 * load a language's rules.
 */
export function oldestFirst(events: readonly Event[]): Event[] {
  const time = ({ lastTimestamp, eventTime }: Event) => lastTimestamp ?? eventTime ?? "";
  return events.toSorted((a, b) => (time(a) < time(b) ? -1 : Number(time(a) > time(b))));
}

const ContainerState = v.looseObject({
  waiting: v.optional(
    v.looseObject({ reason: v.optional(v.string(), ""), message: v.optional(v.string(), "") }),
  ),
  terminated: v.optional(
    v.looseObject({ reason: v.optional(v.string(), ""), exitCode: v.optional(v.number()) }),
  ),
});

const ContainerStatuses = v.optional(
  v.array(
    v.looseObject({
      name: v.string(),
      ready: v.boolean(),
      restartCount: v.optional(v.number(), 0),
      state: v.optional(ContainerState, {}),
      lastState: v.optional(ContainerState, {}),
    }),
  ),
  [],
);

const Containers = v.optional(
  v.array(
    v.looseObject({
      name: v.string(),
      ports: v.optional(
        v.array(v.looseObject({ containerPort: v.number(), name: v.optional(v.string()) })),
        [],
      ),
    }),
  ),
  [],
);

export const Pod = v.looseObject({
  metadata: Metadata,
  spec: v.optional(
    v.looseObject({
      containers: Containers,
      initContainers: Containers,
      readinessGates: v.optional(v.array(v.looseObject({ conditionType: v.string() })), []),
    }),
    {},
  ),
  status: v.optional(
    v.looseObject({
      phase: v.optional(v.string(), ""),
      podIP: v.optional(v.string(), ""),
      conditions: v.optional(
        v.array(
          v.looseObject({
            type: v.string(),
            status: v.string(),
            reason: v.optional(v.string(), ""),
            message: v.optional(v.string(), ""),
          }),
        ),
        [],
      ),
      initContainerStatuses: ContainerStatuses,
      containerStatuses: ContainerStatuses,
    }),
    {},
  ),
});
export type Pod = v.InferOutput<typeof Pod>;
