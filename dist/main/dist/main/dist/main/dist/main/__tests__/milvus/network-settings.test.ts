import { expect, test } from "vitest";
import { type NetworkSettings, networkSettings } from "../../src/milvus/network-settings.ts";
import { withTls } from "../../src/milvus/user-yaml.ts";

const PLAIN: NetworkSettings = { tls: false, http: true, httpPort: "" };
const http = (settings: string) => `proxy: { http: { ${settings} } }\n`;

test.each<[string, string | undefined, Partial<NetworkSettings>]>([
  ["no user.yaml", undefined, {}],
  ["an empty one", "", {}],
  ["only comments", "# common:\n", {}],
  ["one that is no map", "- a\n", {}],
  ["one that doesn't parse", "a: [\n", {}],
  ["null", "~\n", {}],
  ["maps without anything", "common:\nproxy: ~\n", {}],
  ["plain values where maps belong", "common: x\nproxy: [1]\n", {}],
  ["TLS", "common: { security: { tlsMode: 1 } }\n", { tls: true }],
  ["TLS in quotes", 'common: { security: { tlsMode: "1" } }\n', { tls: true }],
  ["mutual TLS", "common: { security: { tlsMode: 2 } }\n", { tls: true }],
  ["TLS switched off", "common: { security: { tlsMode: 0 } }\n", {}],
  ["a tlsMode that there is not", "common: { security: { tlsMode: 12 } }\n", {}],
  ["a port of its own", http("port: 9999"), { httpPort: "9999" }],
  ["a port of null", http("port: ~"), {}],
  ["an emptied port", http("port: "), {}],
  ["no REST API", http("enabled: false"), { http: false }],
  ...["no", "off", "n", "0", "F", "~", '"no"'].map((off): [string, string, Partial<NetworkSettings>] => [
    `no REST API: ${off}`,
    http(`enabled: ${off}`),
    { http: false },
  ]),
  ...["yes", "On", "1", "TRUE", '"true"'].map((on): [string, string, Partial<NetworkSettings>] => [
    `a REST API: ${on}`,
    http(`enabled: ${on}`),
    {},
  ]),
  ["flat keys", "common.security.tlsMode: 1\nproxy.http.port: 9999\n", { tls: true, httpPort: "9999" }],
  ["no REST API, in capitals", http("enabled: False, port: 8080"), { http: false, httpPort: "8080" }],
  ["what this action makes of none", withTls(undefined), { tls: true, httpPort: "8080" }],
])("%s", (_, text, expected) => {
  expect(networkSettings(text)).toEqual({ ...PLAIN, ...expected });
});
