import * as v from "valibot";
import type { YamlMap } from "../../src/base/yaml.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";
import type { Release } from "../../src/helm/release.ts";
import type { StoredRelease } from "../../src/helm/stored-release.ts";
import { mergeValues, valueAt } from "../../src/helm/values.ts";
import { readSettings, type Settings } from "../../src/inputs/settings.ts";
import {
  Ingress,
  KubernetesObject,
  ManagedCertificate,
  Secret,
  Service,
} from "../../src/kubernetes/objects.ts";
import { addressOf } from "../../src/loadbalancer/address.ts";
import type { KeyPair } from "../../src/loadbalancer/certificate.ts";
import { NOTHING_KEPT } from "../../src/loadbalancer/kept.ts";
import { otherHostsOf } from "../../src/loadbalancer/references.ts";
import type { Observed } from "../../src/observe/observed.ts";

/** The defaults of Milvus's chart that plans depend on. */
export const DEFAULTS: YamlMap = {
  customConfigMap: "",
  ingress: { enabled: false },
  minio: { enabled: true },
  service: { type: "ClusterIP", port: 19530, portName: "milvus", annotations: {} },
};

/** The release's own values as the reader of Milvus's page has them. */
export const STARTING: YamlMap = {
  service: { type: "LoadBalancer" },
  minio: { enabled: false },
  extraConfigFiles: { "user.yaml": "common:\n  security:\n    authorizationEnabled: true\n" },
};

export const HOST = "milvus.example.com";

export function settings(inputs: Record<string, string> = {}): Settings {
  const all: Record<string, string> = { host: HOST, kubeconfig: "/k", ...inputs };
  return readSettings((name) => all[name] ?? "", "/");
}

/** A revision as Helm keeps it, of a chart with the defaults above. */
export function storedRelease(more: Partial<StoredRelease> = {}): StoredRelease {
  const dependencies = [{ name: "etcd", enabled: true }];
  return {
    revision: 3,
    status: "deployed",
    updated: "2030-01-02T03:04:05Z",
    description: "Upgrade complete",
    serverSide: false,
    chart: {
      metadata: { name: "milvus", version: "5.0.19", appVersion: "2.6.15", dependencies },
      lock: undefined,
      templates: [],
      files: [],
      values: DEFAULTS,
      schema: undefined,
    },
    values: {},
    manifest: "",
    ...more,
  };
}

/**
 * The cluster as Helm has left it with these values of the release's own, and these objects beside it, as a
 * run for this host sees it.
 */
export function observed(
  values: YamlMap,
  release: Partial<Release> = {},
  objects: readonly KubernetesObject[] = [],
  host = HOST,
): Observed {
  const computedValues = mergeValues(DEFAULTS, values);
  const named = (kind: string, name: string) =>
    objects.filter((object) => object.kind === kind && object.metadata.name === name);
  const [ingress] = named("Ingress", "my-release-milvus");
  const [secret] = named("Secret", "my-release-milvus-tls");
  const [authority] = named("Secret", "my-release-milvus-tls-ca");
  return {
    release: {
      name: "my-release",
      namespace: "default",
      revision: 3,
      status: "deployed",
      chart: "milvus",
      chartVersion: "5.0.19",
      appVersion: "2.6.15",
      serverSide: false,
      values,
      computedValues,
      base: storedRelease({ values }),
      ...release,
    },
    service: v.parse(Service, {
      metadata: {
        name: "my-release-milvus",
        namespace: "default",
        annotations: valueAt(computedValues, "service", "annotations"),
      },
      spec: {
        type: valueAt(computedValues, "service", "type"),
        ports: [{ name: "milvus", port: 19530, targetPort: "milvus" }],
      },
    }),
    milvusVersion: "2.6.15",
    isServiceToCome: false,
    objects: [...objects],
    ingress: ingress && v.parse(Ingress, ingress),
    ingressAddress: ingress && addressOf(v.parse(Ingress, ingress)),
    otherIngresses: [],
    workloads: [],
    pods: [],
    formerHosts: otherHostsOf(ingress && v.parse(Ingress, ingress), host, "my-release-milvus"),
    tlsSecret: secret && v.parse(Secret, secret),
    authoritySecret: authority && v.parse(Secret, authority),
    managedCertificates: objects
      .filter(({ kind }) => kind === "ManagedCertificate")
      .map((object) => v.parse(ManagedCertificate, object)),
    deployer: undefined,
    chart: undefined,
    google: {
      reservedAddress: undefined,
      sslCertificates: undefined,
      zone: undefined,
      recordChange: undefined,
      clientPolicy: undefined,
      formerRecords: [],
    },
    kept: NOTHING_KEPT,
    certificate: {
      newPair: undefined,
      newAuthority: undefined,
      certificate: undefined,
      authority: undefined,
      move: undefined,
      secretHash: undefined,
    },
  };
}

/** A project that no request is sent to. */
export const NO_PROJECT: GoogleProject = {
  projectId: "my-project",
  environment: {},
  universe: "googleapis.com",
  accessToken: () => Promise.reject(new Error("no request was expected")),
  signal: AbortSignal.abort(),
};

/** What was observed, with a key pair that is yet to be put into the Secret. */
export function withCertificate(seen: Observed, newPair: KeyPair | undefined): Observed {
  return { ...seen, certificate: { ...seen.certificate, newPair } };
}

/** An object of the cluster's, as this action applies it unless `managedFields` says otherwise. */
export function liveObject(object: {
  kind: string;
  metadata: { name: string; [field: string]: unknown };
  [field: string]: unknown;
}): KubernetesObject {
  const { metadata, ...content } = object;
  return v.parse(KubernetesObject, {
    apiVersion: "v1",
    ...content,
    metadata: {
      namespace: "default",
      uid: `uid-of-${metadata.name}`,
      managedFields: [
        { manager: "milvus-gke-load-balancer", operation: "Apply", fieldsV1: { "f:spec": {} } },
      ],
      ...metadata,
    },
  });
}
