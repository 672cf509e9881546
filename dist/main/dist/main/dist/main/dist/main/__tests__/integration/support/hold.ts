import { AdmissionregistrationV1Api } from "@kubernetes/client-node";
import { serveAdmissionWebhook } from "../../../local-gke/admission-webhook.ts";
import { kubeConfigFrom } from "../../../local-gke/control-plane/client.ts";

/** An update that waits, as soon as there is one. */
export interface Hold {
  reached: Promise<void>;
  /** Lets updates through again; one that waits is refused. */
  end(): Promise<void>;
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
  const reached = Promise.withResolvers<void>();
  const webhook = await serveAdmissionWebhook(async ({ oldObject, object }) => {
    if (!isMeant(JSON.stringify(oldObject), JSON.stringify(object))) return [];
    reached.resolve();
    // The update waits until the server closes the connection.
    return new Promise(() => {});
  });

  const config = kubeConfigFrom(kubeconfig);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const name = `hold-${namespace}`;
  await admission.createValidatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          ...webhook.registration,
          name: "hold.local-gke.dev",
          rules: [
            {
              apiGroups: ["*"],
              apiVersions: ["v1"],
              operations: ["UPDATE"],
              resources: [resource],
            },
          ],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
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
      webhook.close();
    },
  };
}
