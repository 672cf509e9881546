import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadBalancerValues } from "../../src/milvus/values.ts";
import { valuesOverlay } from "../../src/plan/values-overlay.ts";

const RELEASE = { name: "my-release" };
const valuesWith = (userYaml?: string) =>
  loadBalancerValues(
    userYaml === undefined ? {} : { extraConfigFiles: { "user.yaml": userYaml } },
    { name: "milvus", port: 19530 },
    "bc",
  );

test("has all values that the load balancer needs, with the release's own user.yaml", () => {
  const values = valuesWith("common:\n  security:\n    authorizationEnabled: true\n");
  const text = valuesOverlay(values, RELEASE);
  expect(parse(text)).toEqual(values);
  expect(text).toMatch(/^# What release my-release needs behind its load balancer\./);
  expect(text).toContain("authorizationEnabled: true");
  expect(text).toContain("tlsMode: 1");
});

test("has them below a subchart's name", () => {
  expect(parse(valuesOverlay(valuesWith(), RELEASE, "vectors"))).toEqual({ vectors: valuesWith() });
});

test.each([
  ["a password", "minio:\n  secretAccessKey: hunter2\n"],
  ["a number as a password", "etcd:\n  auth:\n    password: 12345\n"],
  ["a password in a URL", "pulsar:\n  address: pulsar://user:hunter2@host\n"],
  ["a password in a comment", "# password: hunter2\nlog:\n  level: info\n"],
])("leaves a user.yaml with %s out, and says what it must have", (_, userYaml) => {
  const text = valuesOverlay(valuesWith(userYaml), RELEASE);
  expect(text).not.toMatch(/hunter2|12345/);
  expect(text).toContain("It needs common.security.tlsMode: 1 and proxy.http.port: 8080.");
  expect(Object.keys(parse(text))).toEqual(["service"]);
});
