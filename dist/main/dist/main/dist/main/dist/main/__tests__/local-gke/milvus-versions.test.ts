import { expect, test } from "vitest";
import { milvusVersion } from "../../local-gke/milvus/versions.ts";

test.each([
  ["milvusdb/milvus:v2.6.15", "2.6.15"],
  ["registry.example:5000/milvusdb/milvus:2.3.4-gpu", "2.3.4"],
  ["milvusdb/milvus:latest", undefined],
  ["milvusdb/milvus", undefined],
])("the version of %s is %s", (image, version) => {
  expect(milvusVersion(image)).toBe(version);
});
