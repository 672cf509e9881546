import { expect, test } from "vitest";
import { serviceToCome } from "../../src/observe/installation.ts";

// What the chart makes of the same values: "names" in __tests__/integration/chart.test.ts.
test.each([
  { what: "release and chart", release: "my-release", values: {}, name: "my-release-milvus" },
  { what: "the release alone when it says milvus", release: "milvus-prod", values: {}, name: "milvus-prod" },
  { what: "nameOverride", release: "my-release", values: { nameOverride: "db" }, name: "my-release-db" },
  { what: "fullnameOverride", release: "a", values: { fullnameOverride: "vectors" }, name: "vectors" },
  {
    what: "no more than 63 letters",
    release: `a${"-b".repeat(31)}`,
    values: {},
    name: `a${"-b".repeat(31)}`,
  },
])("a Service that the chart will make has a name of $what", ({ release, values, name }) => {
  expect(serviceToCome(release, "milvus", "milvus", values)).toMatchObject({
    metadata: { name, namespace: "milvus" },
    spec: { ports: [{ name: "milvus", port: 19530, targetPort: "milvus" }] },
  });
});

test("a Service that the chart will make has the type and the port of the values", () => {
  const values = { service: { type: "LoadBalancer", port: 29530, portName: "grpc" } };
  expect(serviceToCome("other", "milvus", "milvus", values)).toMatchObject({
    spec: { type: "LoadBalancer", ports: [{ name: "grpc", port: 29530, targetPort: "milvus" }] },
  });
});
