import type { V1Ingress, V1Service } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { healthCheck, parseBackendConfig } from "../../local-gke/ingress/backend-config.ts";
import { clusterIds } from "../../local-gke/ingress/names.ts";
import { type Inventory, translate } from "../../local-gke/ingress/translate.ts";

const NEG = { "cloud.google.com/neg": '{"ingress":true}' };

function service(annotations: Record<string, string> = NEG, type = "ClusterIP"): V1Service {
  const ports = [
    { name: "milvus", port: 19530, nodePort: 30291 },
    { name: "metrics", port: 9091 },
  ];
  return { metadata: { name: "milvus", namespace: "ns", annotations }, spec: { type, ports } };
}

function ingress(options: {
  path?: string;
  pathType?: string;
  port?: object;
  annotations?: Record<string, string>;
}): V1Ingress {
  const backend = { service: { name: "milvus", port: options.port ?? { number: 19530 } } };
  const path = { path: options.path ?? "/", pathType: options.pathType ?? "Prefix", backend };
  return {
    metadata: { name: "i", namespace: "ns", annotations: options.annotations ?? {} },
    spec: { rules: [{ host: "h.io", http: { paths: [path] } }] },
  };
}

function inventory(milvus: V1Service | undefined = service(), backendConfig?: object): Inventory {
  const defaultBackend: V1Service = { spec: { type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] } };
  return {
    ids: clusterIds("uid"),
    service: (namespace) => (namespace === "kube-system" ? defaultBackend : milvus),
    backendConfig: (namespace, name) =>
      backendConfig && name === "bc" ? parseBackendConfig(namespace, name, backendConfig) : undefined,
  };
}

describe("translate", () => {
  test("returns the rule, the Service's port and the default backend", () => {
    const { rules, servicePorts, errors } = translate(ingress({}), inventory());
    expect(errors).toEqual([]);
    expect(rules).toMatchObject([
      { host: "h.io", path: "/", pathType: "Prefix", backend: servicePorts[0]?.backend },
    ]);
    expect(servicePorts.map(({ service, port, neg }) => [service, port, neg])).toEqual([
      ["milvus", 19530, true],
      ["default-http-backend", 80, false],
    ]);
  });

  test.each([
    ["follows the port NAME", { ...NEG, "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}' }, "HTTP2"],
    [
      "is HTTP if the annotation uses the port number",
      { ...NEG, "cloud.google.com/app-protocols": '{"19530":"HTTP2"}' },
      "HTTP",
    ],
    [
      "follows the older annotation first",
      {
        ...NEG,
        "service.alpha.kubernetes.io/app-protocols": '{"milvus":"HTTPS"}',
        "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
      },
      "HTTPS",
    ],
  ])("a port's protocol %s", (_, annotations, protocol) => {
    const { servicePorts, errors } = translate(ingress({}), inventory(service(annotations)));
    expect(errors).toEqual([]);
    expect(servicePorts[0]?.protocol).toBe(protocol);
  });

  const bc = (value: string) => ({ ...NEG, "cloud.google.com/backend-config": value });
  const forPort =
    'error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service "ns/milvus", err: ';
  test.each<[string, V1Ingress, Inventory, string]>([
    ["a NodePort Service without NEG", ingress({}), inventory(service({}, "NodePort")), ""],
    [
      "a ClusterIP Service without NEG",
      ingress({}),
      inventory(service({})),
      'service "ns/milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs',
    ],
    [
      "a malformed NEG annotation",
      ingress({}),
      inventory(service({ "cloud.google.com/neg": "{ingress:true}" })),
      'service "ns/milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs',
    ],
    [
      "a missing named port",
      ingress({ port: { name: "grpc" } }),
      inventory(),
      'could not find port "&ServiceBackendPort{Name:grpc,Number:0,}" in service "ns/milvus"',
    ],
    [
      "a wildcard in an exact path",
      ingress({ path: "/*", pathType: "Exact" }),
      inventory(),
      "failed to validate exact path /* due to invalid wildcard",
    ],
    [
      "a wildcard in an implementation-specific path",
      ingress({ path: "/*", pathType: "ImplementationSpecific" }),
      inventory(),
      "",
    ],
    [
      "a malformed BackendConfig annotation",
      ingress({}),
      inventory(service(bc("{"))),
      `${forPort}BackendConfig annotation is invalid json`,
    ],
    [
      "an empty BackendConfig annotation",
      ingress({}),
      inventory(service(bc("{}"))),
      `${forPort}no BackendConfig's found in annotation`,
    ],
    [
      "a missing BackendConfig",
      ingress({}),
      inventory(service(bc('{"default":"bc"}'))),
      `${forPort}no BackendConfig for service port exists.`,
    ],
    [
      "a missing BackendConfig of an unused port",
      ingress({}),
      inventory(service(bc('{"ports":{"metrics":"bc"}}'))),
      "",
    ],
    [
      "an invalid BackendConfig",
      ingress({}),
      inventory(service(bc('{"ports":{"19530":"bc"}}')), { sessionAffinity: { affinityType: "X" } }),
      "BackendConfig ns/bc is not valid: unsupported AffinityType: X, should be one of NONE, CLIENT_IP, or GENERATED_COOKIE",
    ],
    [
      "two mistakes",
      ingress({ path: "/*" }),
      inventory(service({ ...NEG, "cloud.google.com/app-protocols": '{"milvus":"h2"}' })),
      'could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "ns/milvus", err: invalid port application protocol: h2; failed to validate prefix path /* due to invalid wildcard',
    ],
  ])("reports the errors of %s", (_, given, state, errors) => {
    expect(translate(given, state).errors.join("; ")).toBe(errors);
  });

  test("an internal load balancer always uses NEGs", () => {
    const annotations = { "kubernetes.io/ingress.class": "gce-internal" };
    const { servicePorts } = translate(ingress({ annotations }), inventory(service({}, "NodePort")));
    expect(servicePorts.map(({ neg }) => neg)).toEqual([true, true]);
  });
});

describe("healthCheck", () => {
  const defaults = { protocol: "HTTP2", servingPort: 19530, neg: true } as const;
  const config = (check: object) => parseBackendConfig("ns", "bc", { healthCheck: check });

  test("defaults to the protocol and port of the backend", () => {
    expect(healthCheck(undefined, defaults)).toEqual({
      type: "HTTP2",
      port: 19530,
      requestPath: "/",
      checkIntervalSec: 15,
      timeoutSec: 15,
    });
  });

  test("follows the BackendConfig", () => {
    const wanted = { type: "HTTP", port: 9091, requestPath: "/healthz", checkIntervalSec: 5, timeoutSec: 5 };
    expect(healthCheck(config(wanted), defaults)).toEqual(wanted);
  });

  test.each([
    [{ checkIntervalSec: 5 }, "Invalid value for field 'resource.timeoutSec': '15'"],
    [{ type: "http" }, 'Protocol "http" is not valid, must be one of ["HTTP","HTTPS","HTTP2"]'],
  ])("refuses %j", (check, message) => {
    expect(() => healthCheck(config(check), defaults)).toThrow(message);
  });
});
