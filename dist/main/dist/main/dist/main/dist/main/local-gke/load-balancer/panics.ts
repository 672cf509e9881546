import { AdmissionregistrationV1Api, type KubeConfig, type V1PodSpec } from "@kubernetes/client-node";
import * as v from "valibot";
import { serveAdmissionWebhook } from "../admission-webhook.ts";

/*
 * KWOK, the kubelet of all nodes, simulates a crash loop in pods with this annotation
 * (control-plane/kwok.yaml). An admission webhook sets it, so it is present when KWOK first sees the pod.
 * Otherwise, the pod would be ready for a moment, and its Deployment would delete the pod that it replaces.
 */
const CRASH_LOOP = { "local-gke/pod": "crash-loop" };
const NAME = "panics.local-gke.dev";

const Named = { name: v.string() };
const Pod = v.object({
  metadata: v.object({ annotations: v.optional(v.record(v.string(), v.string())) }),
  spec: v.object({
    containers: v.array(
      v.object({
        ...Named,
        volumeMounts: v.exactOptional(
          v.array(v.object({ ...Named, mountPath: v.string(), subPath: v.exactOptional(v.string()) })),
        ),
      }),
    ),
    volumes: v.exactOptional(
      v.array(
        v.object({
          ...Named,
          configMap: v.exactOptional(v.object({ name: v.exactOptional(v.string()) })),
        }),
      ),
    ),
  }),
});

/**
 * Makes pods crash if their Milvus would panic at its start.
 *
 * @param panics decides this for a pod that is about to be created in a namespace
 * @returns a function that stops the webhook
 */
export async function crashPanickingPods(
  config: KubeConfig,
  panics: (spec: V1PodSpec, namespace: string) => Promise<boolean>,
): Promise<() => void> {
  const webhook = await serveAdmissionWebhook(async ({ object, namespace }) => {
    const { metadata, spec } = v.parse(Pod, object);
    if (!(await panics(spec, namespace))) return [];
    const value = { ...metadata.annotations, ...CRASH_LOOP };
    return [{ op: "add", path: "/metadata/annotations", value }];
  });
  await config.makeApiClient(AdmissionregistrationV1Api).createMutatingWebhookConfiguration({
    body: {
      metadata: { generateName: "panics-" },
      webhooks: [
        {
          ...webhook.registration,
          name: NAME,
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          matchConditions: [{ name: "milvus", expression: ACCEPTS_CLIENTS }],
          failurePolicy: "Ignore",
          timeoutSeconds: 5,
        },
      ],
    },
  });
  // The configuration may stay: the cluster ends too, and until then the API server ignores a missing
  // webhook.
  return webhook.close;
}

/** CEL: the pod accepts clients, a container has a port named `milvus`, as in the Milvus chart. */
export const ACCEPTS_CLIENTS =
  "object.spec.containers.exists(c, has(c.ports) && c.ports.exists(p, has(p.name) && p.name == 'milvus'))";
