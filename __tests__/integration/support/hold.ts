import { once } from "node:events";
import { createServer } from "node:https";
import { text } from "node:stream/consumers";
import { AdmissionregistrationV1Api, KubeConfig } from "@kubernetes/client-node";
import { selfSigned } from "../../../local-gke/milvus/certificate.ts";

/** An update that waits, as soon as there is one. */
export interface Hold {
  reached: Promise<void>;
  /** Lets updates through again; one that waits is refused. */
  end(): Promise<void>;
}

interface AdmissionReview {
  request: { uid: string; oldObject: unknown; object: unknown };
}

/** Which update is to wait; `isMeant` tells it from the object before and after it, both as JSON. */
export type HeldUpdate = [
  resource: "deployments" | "secrets",
  isMeant: (before: string, after: string) => boolean,
];

/** Keeps the API server from updating objects of a namespace, so that Helm can be killed at it. */
export async function holdUpdates(
  kubeconfig: string,
  namespace: string,
  ...[resource, isMeant]: HeldUpdate
): Promise<Hold> {
  const { certificate: cert, privateKey: key } = await selfSigned("127.0.0.1");
  const reached = Promise.withResolvers<void>();
  const server = createServer({ cert, key }, async (incoming, outgoing) => {
    const { request }: AdmissionReview = JSON.parse(await text(incoming));
    if (isMeant(JSON.stringify(request.oldObject), JSON.stringify(request.object))) {
      reached.resolve();
      return;
    }
    const response = { uid: request.uid, allowed: true };
    outgoing.setHeader("content-type", "application/json");
    outgoing.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("a TCP server has a port");

  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const name = `hold-${namespace}`;
  await admission.createValidatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          name: "hold.local-gke.dev",
          clientConfig: {
            url: `https://127.0.0.1:${address.port}/`,
            caBundle: Buffer.from(cert).toString("base64"),
          },
          rules: [
            {
              apiGroups: ["*"],
              apiVersions: ["v1"],
              operations: ["UPDATE"],
              resources: [resource],
            },
          ],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 30,
        },
      ],
    },
  });
  return {
    reached: reached.promise,
    async end() {
      await admission.deleteValidatingWebhookConfiguration({ name });
      server.close();
      server.closeAllConnections();
    },
  };
}
