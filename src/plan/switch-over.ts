import { type ManifestObject, parseManifest, splitManifest } from "../helm/manifest.ts";
import { replicasOf } from "./replicas.ts";

/**
 * Returns the manifest of the upgrade that takes the layer-4 load balancer away: the Service and numbers of
 * pods as the chart renders them now, all else as it is recorded. A chart that renders something new each
 * time, such as the token of Bitnami's etcd with its checksum, would replace pods again.
 *
 * @param stored the manifest of the deployed revision
 * @param rendered what the chart renders with the values of the upgrade
 * @param service the name of Milvus's Service
 */
export function switchOverManifest(stored: string, rendered: string, service: string): string {
  const [before, after] = [parseManifest(stored), parseManifest(rendered)];
  const texts = splitManifest(rendered);
  const isTaken = (old: ManifestObject | undefined, object: ManifestObject) =>
    (object.kind === "Service" && object.metadata.name === service) || replicasOf(old) !== replicasOf(object);
  const documents = [...splitManifest(stored)].map(([key, text]) => {
    const object = after.get(key);
    return (object && isTaken(before.get(key), object) && texts.get(key)) || text;
  });
  return documents.map((text) => `---\n${text}\n`).join("");
}
