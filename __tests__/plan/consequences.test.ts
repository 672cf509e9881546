import * as v from "valibot";
import { expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { givenValues } from "../../src/helm/helm-values.ts";
import { NOT_INSTALLED } from "../../src/helm/release.ts";
import { mergeValues } from "../../src/helm/values.ts";
import { Ingress, Service } from "../../src/kubernetes/objects.ts";
import type { AuthorityMove } from "../../src/loadbalancer/chosen-certificate.ts";
import type { Observed } from "../../src/observe/observed.ts";
import { consequencesOf } from "../../src/plan/consequences.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { planRelease } from "../../src/plan/release.ts";
import { HOST, liveObject, observed, STARTING, settings } from "../support/observed.ts";

const TLS =
  "Milvus itself speaks TLS from the Helm upgrade on: clients that reach it directly (inside the cluster) must use TLS from then on.";
const TLS_WITH_LAYER_4 =
  "Milvus itself speaks TLS from the Helm upgrade on: clients that reach it directly (inside the cluster, through the layer-4 load balancer) must use TLS from then on.";
const restOn = (port: number) =>
  `Milvus's REST API moves from its gRPC port to port ${port} of the pods, because with TLS the two can't share a port.`;
const goesAtOnce = (
  address: string,
  hint = " (without keep_layer4: false it stays until Milvus answers there)",
) =>
  `The layer-4 load balancer at ${address} is deleted at Google by the Helm upgrade: its clients are cut off until they use the new one${hint}.`;
const goesLater = (address: string) =>
  `The layer-4 load balancer at ${address} is deleted at Google once Milvus answers through the new one and DNS doesn't lead ${HOST} to the old one: from then on its clients reach nothing there.`;

const RANGES = ["10.0.0.0/8", "192.0.2.0/24"];
const INTERNAL =
  "Milvus's layer-4 load balancer is internal to the network; the new one is open to the internet (load_balancer: internal makes an internal one).";
const RESTRICTED =
  "Milvus's layer-4 load balancer admits 10.0.0.0/8, 192.0.2.0/24 only; the new one admits everybody (allowed_ranges restricts it, or a Cloud Armor policy of yours: securityPolicy in backend_config).";

/** The release of a reader of Milvus's page, whose Service has more annotations. */
function withService(annotations: Record<string, string>, loadBalancerSourceRanges: string[]): Observed {
  const seen = observed({ ...STARTING, service: { type: "LoadBalancer", loadBalancerSourceRanges } });
  const { metadata, spec: given } = seen.service;
  return {
    ...seen,
    service: v.parse(Service, {
      metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
      spec: { ...given, loadBalancerSourceRanges },
    }),
  };
}

const CLUSTER_IP: YamlMap = { minio: { enabled: false } };
const userYaml = (text: string) => ({ extraConfigFiles: { "user.yaml": text } });
const AT_ONCE = { keep_layer4: "false" };
const KEEP = { keep_layer4: "true" };

/** The same with an Ingress that leads another host to Milvus. */
function routing(seen: Observed, host: string): Observed {
  return { ...seen, formerHosts: [host] };
}

/** The same with an Ingress of another name, which leads to this Service. */
function beside(seen: Observed, service: string): Observed {
  const rules = [
    { host: "milvus.example.com", http: { paths: [{ backend: { service: { name: service } } }] } },
  ];
  return { ...seen, otherIngresses: [v.parse(Ingress, { metadata: { name: "by-hand" }, spec: { rules } })] };
}

function withAddresses(seen: Observed, ...ingress: object[]): Observed {
  return { ...seen, service: v.parse(Service, { ...seen.service, status: { loadBalancer: { ingress } } }) };
}

/** The release as it is after a run with these inputs, before the layer-4 load balancer goes. */
function after(inputs: Record<string, string>, values: YamlMap): YamlMap {
  const { upgrade } = planRelease(settings({ ...AT_ONCE, ...inputs }), observed(values));
  return upgrade ? mergeValues(values, givenValues(upgrade.values)) : values;
}

/** The release with a load balancer. */
function withLoadBalancer(annotations: Record<string, string>): Observed {
  const finalizers = ["networking.gke.io/ingress-finalizer-V2"];
  const ingress = liveObject({
    kind: "Ingress",
    metadata: { name: "my-release-milvus", finalizers, annotations },
    status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } },
  });
  return observed(after({}, STARTING), {}, [ingress]);
}

/** The release with a certificate that moves to another authority. */
function moving(move: AuthorityMove): Observed {
  const seen = withLoadBalancer({});
  return { ...seen, certificate: { ...seen.certificate, move } };
}

const MOVES =
  "The load balancer at 203.0.113.7 moves to another address: its clients reach nothing there from then on.";
const AT = { ip: "203.0.113.9" };
test.each<[string, Record<string, string>, Observed, string[]]>([
  ["a Service inside the cluster", {}, observed(CLUSTER_IP), [TLS, restOn(8080)]],
  [
    "a layer-4 load balancer",
    {},
    withAddresses(observed(STARTING), AT),
    [goesAtOnce("203.0.113.9"), TLS, restOn(8080)],
  ],
  [
    "one that is kept",
    KEEP,
    withAddresses(observed(STARTING), AT),
    [goesLater("203.0.113.9"), TLS_WITH_LAYER_4, restOn(8080)],
  ],
  [
    "one that an earlier run has kept",
    KEEP,
    withAddresses(observed(after(KEEP, STARTING)), AT),
    [goesLater("203.0.113.9")],
  ],
  ["one without an address", {}, observed(STARTING), [goesAtOnce("no address yet"), TLS, restOn(8080)]],
  [
    "one with several addresses",
    {},
    withAddresses(observed(STARTING), AT, { hostname: "h.example.com" }),
    [goesAtOnce("203.0.113.9, h.example.com"), TLS, restOn(8080)],
  ],
  [
    "TLS already",
    {},
    observed({ ...STARTING, ...userYaml("common: { security: { tlsMode: 1 } }\n") }),
    [goesAtOnce("no address yet"), restOn(8080)],
  ],
  [
    "a REST API with a port of its own",
    {},
    observed({ ...CLUSTER_IP, ...userYaml("proxy: { http: { port: 9999 } }\n") }),
    [TLS],
  ],
  [
    "a REST API that this run gives a port",
    { values: "extraConfigFiles:\n  user.yaml: |\n    proxy: { http: { port: 9999 } }\n" },
    observed(CLUSTER_IP),
    [TLS, restOn(9999)],
  ],
  [
    "no REST API",
    {},
    observed({ ...CLUSTER_IP, ...userYaml("proxy: { http: { enabled: false } }\n") }),
    [TLS],
  ],
  [
    "a REST API that this run switches off",
    { values: "extraConfigFiles:\n  user.yaml: |\n    proxy: { http: { enabled: false, port: 9999 } }\n" },
    observed(CLUSTER_IP),
    [TLS],
  ],
  ["nothing changes", {}, observed(after({}, STARTING)), []],
  ["another chart, and nothing else", { chart_version: "5.0.20" }, observed(after({}, STARTING)), []],
  [
    "a layer-4 load balancer that not everybody can reach",
    {},
    withService({ "networking.gke.io/load-balancer-type": "Internal" }, RANGES),
    [goesAtOnce("no address yet"), TLS, restOn(8080), INTERNAL, RESTRICTED],
  ],
  [
    "one inside the network, for another inside it",
    { load_balancer: "internal", location: "us-central1" },
    withService({ "cloud.google.com/load-balancer-type": "internal" }, RANGES),
    [goesAtOnce("no address yet"), TLS, restOn(8080)],
  ],
  [
    "a restriction that a policy takes over",
    { backend_config: "securityPolicy: { name: mine }" },
    withService({}, RANGES),
    [goesAtOnce("no address yet"), TLS, restOn(8080)],
  ],
  [
    "a restriction to everybody",
    {},
    withService({}, ["0.0.0.0/0"]),
    [goesAtOnce("no address yet"), TLS, restOn(8080)],
  ],
  [
    "another host",
    {},
    routing(observed(after({}, STARTING)), "old.example.com"),
    ["old.example.com no longer leads to Milvus after this run: its clients get HTTP 404 from then on."],
  ],
  ["another class", { load_balancer: "internal" }, withLoadBalancer({}), [MOVES]],
  ["HTTP for the first time", { allow_http: "true" }, withLoadBalancer({}), [MOVES]],
  [
    "HTTP for the first time, at a reserved address",
    { allow_http: "true", static_ip_name: "mine" },
    withLoadBalancer({}),
    [],
  ],
  [
    "HTTP again, at the address that has become static",
    { allow_http: "true" },
    withLoadBalancer({ "ingress.kubernetes.io/static-ip": "k8s2-fr-x" }),
    [],
  ],
  ["HTTP no more", {}, withLoadBalancer({ "ingress.kubernetes.io/forwarding-rule": "k8s2-fr-x" }), []],
  [
    "an Ingress of another name",
    {},
    beside(observed(after({}, STARTING)), "my-release-milvus"),
    [
      "Ingress by-hand leads to Milvus too: it stays beside the new one, with its load balancer (ingress_name: by-hand keeps that one instead).",
    ],
  ],
  ["an Ingress of another name beside ours", {}, beside(withLoadBalancer({}), "my-release-milvus"), []],
  ["an Ingress that leads elsewhere", {}, beside(observed(after({}, STARTING)), "other"), []],
  [
    "another authority at a later renewal",
    {},
    moving({ from: "2030-01-02T03:04:05Z" }),
    [
      "From 2030-01-02T03:04:05Z on a run renews the certificate of milvus.example.com under another authority: give clients the output ca_certificate before, which holds both until then.",
    ],
  ],
  [
    "another authority from this run on",
    {},
    moving({ from: undefined }),
    [
      "From this run on the certificate of milvus.example.com has another authority: clients that trust only the former one can't connect. Give them the output ca_certificate, which holds both.",
    ],
  ],
  ["nobody uses what isn't installed", {}, observed({}, { revision: 0, status: NOT_INSTALLED }), []],
])("%s", (_, inputs, seen, sentences) => {
  const wanted = settings({ ...AT_ONCE, allow_anonymous: "true", ...inputs });
  expect(
    consequencesOf(wanted, seen, makePlan(wanted, seen, planRelease(wanted, seen), undefined, [])),
  ).toEqual(sentences);
});

test("Attu of the release is named when Milvus turns TLS on, and not before or after", () => {
  const env = [{ name: "MILVUS_URL", value: "http://my-release-milvus:19530" }];
  const attu = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "my-release-milvus-attu" },
    spec: { template: { spec: { containers: [{ env }] } } },
  };
  const sentences = (seen: Observed) => {
    const wanted = settings({ ...AT_ONCE, allow_anonymous: "true" });
    const plan = makePlan(wanted, seen, planRelease(wanted, seen), undefined, []);
    const rendered = {
      ...{ manifest: JSON.stringify(attu), hooks: [], fields: [], edits: [], overwrites: [], warnings: [] },
      ...{ restarts: [], creates: [], deletes: [], milvusVersion: undefined },
    };
    return consequencesOf(wanted, seen, { ...plan, rendered });
  };
  const named = expect.stringContaining("Attu of the release (Deployment my-release-milvus-attu)");
  expect(sentences(observed(STARTING))).toContainEqual(named);
  const withTls = userYaml("common: {security: {tlsMode: 1}}");
  expect(sentences(observed({ ...STARTING, ...withTls }))).not.toContainEqual(named);
});
