import { expect, test } from "vitest";
import { manifestDifferences } from "../../src/helm/manifest.ts";
import { switchOverManifest } from "../../src/plan/switch-over.ts";

const SERVICE = "my-release-milvus";

interface Rendered {
  type: string;
  port?: number;
  token?: string;
  replicas?: number;
  checksum?: string;
}

function manifest({ type, port = 19530, token = "a", replicas = 1, checksum = "a" }: Rendered): string {
  return `---
# Source: milvus/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: ${SERVICE}
spec:
  type: ${type}
---
apiVersion: v1
kind: Service
metadata:
  name: my-release-etcd
spec:
  port: ${port}
---
apiVersion: v1
kind: Secret
metadata:
  name: my-release-etcd-jwt-token
data:
  # A text of several lines keeps its separator.
  token: |
    ${token}
    ---
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: my-release-milvus-querynode
spec:
  replicas: ${replicas}
  mode: 0644
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: my-release-etcd
spec:
  replicas: 3
  template: {checksum: ${checksum}}
`;
}

const STORED = manifest({ type: "LoadBalancer" });

test.each<[what: string, rendered: Rendered, becomes: Rendered]>([
  ["the Service", { type: "ClusterIP" }, { type: "ClusterIP" }],
  ["a number of pods", { type: "ClusterIP", replicas: 6 }, { type: "ClusterIP", replicas: 6 }],
  ["no token", { type: "ClusterIP", token: "b", checksum: "b" }, { type: "ClusterIP" }],
  ["no other Service", { type: "ClusterIP", port: 2379 }, { type: "ClusterIP" }],
])("the upgrade that removes layer 4 takes %s from a new rendering", (_, rendered, becomes) => {
  const result = switchOverManifest(STORED, manifest(rendered), SERVICE);
  expect(manifestDifferences(result, manifest(becomes))).toEqual([]);
});

test("objects that only one of the two renderings has stay as they are recorded", () => {
  const job = "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: init\n";
  const rendered = manifest({ type: "ClusterIP" });
  expect(manifestDifferences(switchOverManifest(STORED, rendered + job, SERVICE), rendered)).toEqual([]);
  expect(manifestDifferences(switchOverManifest(STORED + job, rendered, SERVICE), rendered + job)).toEqual(
    [],
  );
});
