import { once } from "node:events";
import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import { AdmissionregistrationV1Api, type KubeConfig, type V1PodSpec } from "@kubernetes/client-node";
import * as v from "valibot";
import { selfSigned } from "../milvus/certificate.ts";

/*
 * KWOK, the kubelet of all nodes, ends the containers of a pod again and again when an annotation asks for it
 * (control-plane/kwok.yaml). The annotation has to be there before KWOK sees the pod: else the pod would be ready
 * for a moment, in which its Deployment would end the pod that it replaces. Hence an admission webhook.
 */
const CRASH_LOOP = { "local-gke/pod": "crash-loop" };
const NAME = "panics.local-gke.dev";

const Named = { name: v.string() };
const AdmissionReview = v.object({
  request: v.object({
    uid: v.string(),
    namespace: v.string(),
    object: v.object({
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
    }),
  }),
});

/**
 * Makes pods crash whose Milvus would panic at its start.
 *
 * @param panics tells that of a pod that is about to be created in a namespace
 * @returns how to end it
 */
export async function crashPanickingPods(
  config: KubeConfig,
  panics: (spec: V1PodSpec, namespace: string) => Promise<boolean>,
): Promise<() => Promise<void>> {
  const { certificate: cert, privateKey: key } = await selfSigned("127.0.0.1");
  const server = createServer({ cert, key }, async (request, reply) => {
    try {
      const review = v.parse(AdmissionReview, await json(request)).request;
      const annotations = { ...review.object.metadata.annotations, ...CRASH_LOOP };
      const patch = (await panics(review.object.spec, review.namespace))
        ? [{ op: "add", path: "/metadata/annotations", value: annotations }]
        : [];
      reply.setHeader("content-type", "application/json").end(JSON.stringify(admitted(review.uid, patch)));
    } catch (error) {
      // The API server shows it to whoever creates the pod, and admits the pod.
      reply.writeHead(500).end(String(error));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null)
    throw new Error("a TCP server has an address and a port");

  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  await admission.createMutatingWebhookConfiguration({
    body: {
      metadata: { generateName: "panics-" },
      webhooks: [
        {
          name: NAME,
          clientConfig: {
            url: `https://127.0.0.1:${address.port}/`,
            caBundle: Buffer.from(cert).toString("base64"),
          },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          matchConditions: [{ name: "milvus", expression: FRONTEND }],
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Ignore",
          timeoutSeconds: 5,
        },
      ],
    },
  });
  // The configuration stays: a webhook that does not answer is ignored, and nothing else is done with the cluster.
  return async () => {
    server.close();
    server.closeAllConnections();
  };
}

/** In CEL: a container has the port that the Milvus chart names `milvus`. */
const FRONTEND =
  "object.spec.containers.exists(c, has(c.ports) && c.ports.exists(p, has(p.name) && p.name == 'milvus'))";

function admitted(uid: string, patch: object[]) {
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid,
      allowed: true,
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
    },
  };
}
