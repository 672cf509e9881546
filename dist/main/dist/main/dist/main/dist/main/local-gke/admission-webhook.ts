import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import * as v from "valibot";
import { listenOnFreePort } from "./listen.ts";
import { selfSigned } from "./milvus/certificate.ts";

const AdmissionReview = v.object({
  request: v.object({
    uid: v.string(),
    namespace: v.optional(v.string(), ""),
    object: v.unknown(),
    oldObject: v.optional(v.unknown()),
  }),
});

export type AdmissionRequest = v.InferOutput<typeof AdmissionReview>["request"];

export interface AdmissionWebhook {
  /** The fields of a webhook configuration that are the same for every webhook of this server. */
  registration: {
    clientConfig: { url: string; caBundle: string };
    admissionReviewVersions: string[];
    sideEffects: "None";
  };
  close(): void;
}

/**
 * Serves an admission webhook on loopback that allows every request.
 *
 * @param review returns the JSON patch to apply to the object, empty for none. The API server waits for it
 *   and applies the webhook's failure policy if it rejects.
 */
export async function serveAdmissionWebhook(
  review: (request: AdmissionRequest) => Promise<object[]>,
): Promise<AdmissionWebhook> {
  const { certificate: cert, privateKey: key } = await selfSigned("127.0.0.1");
  const server = createServer({ cert, key }, async (incoming, outgoing) => {
    try {
      const { request } = v.parse(AdmissionReview, await json(incoming));
      const patch = await review(request);
      outgoing.setHeader("content-type", "application/json");
      outgoing.end(JSON.stringify(admissionReview(request.uid, patch)));
    } catch (error) {
      outgoing.writeHead(500).end(String(error));
    }
  });
  const port = await listenOnFreePort(server);
  return {
    registration: {
      clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString("base64") },
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function admissionReview(uid: string, patch: object[]): object {
  const patched = patch.length > 0 && {
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
  };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, ...patched },
  };
}
