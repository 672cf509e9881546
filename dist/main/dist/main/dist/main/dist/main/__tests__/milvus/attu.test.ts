import { expect, test } from "vitest";
import { attuWithoutTls } from "../../src/milvus/attu.ts";

const NAME = "my-release-milvus-attu";

function deployment(env: object[] | null) {
  return {
    kind: "Deployment",
    metadata: { name: NAME },
    spec: { template: { spec: { containers: [{ name: "attu", env }] } } },
  };
}

test.each<[what: string, objects: unknown[], found: string | undefined]>([
  [
    "as the chart renders it",
    [deployment([{ name: "MILVUS_URL", value: "http://my-release-milvus:19530" }])],
    `Deployment ${NAME}`,
  ],
  [
    "as a post-renderer has corrected it",
    [deployment([{ name: "MILVUS_URL", value: "https://my-release-milvus:19530" }])],
    undefined,
  ],
  [
    "with an address from a Secret",
    [deployment([{ name: "MILVUS_URL", valueFrom: { secretKeyRef: { name: "a", key: "b" } } }])],
    undefined,
  ],
  ["another workload", [deployment(null), { kind: "Service", metadata: { name: NAME } }], undefined],
])("Attu %s", (_, objects, found) => {
  expect(attuWithoutTls(objects)).toBe(found);
});
