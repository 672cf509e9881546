import { parseWanted } from "../tools/version.ts";
import { type InputReader, quote } from "./reader.ts";

/** Versions and download hosts of the programs. */
export interface ToolSettings {
  kubectlVersion: string;
  helmVersion: string;
  gcloudVersion: string;
  gcloudSha256: string | undefined;
  kubectlMirror: string;
  helmMirror: string;
  gcloudMirror: string;
}

/** Reads the inputs about kubectl, Helm and gcloud. */
export function readTools(reader: InputReader): ToolSettings {
  const { url } = reader;
  return {
    kubectlVersion: readVersion(reader, "kubectl_version"),
    helmVersion: readVersion(reader, "helm_version"),
    ...readGcloud(reader),
    kubectlMirror: url("kubectl_mirror", "https://dl.k8s.io"),
    helmMirror: url("helm_mirror", "https://get.helm.sh"),
    gcloudMirror: url("gcloud_mirror", "https://dl.google.com"),
  };
}

function readVersion({ text, refuse }: InputReader, name: string, ...others: string[]): string {
  const version = text(name) || "auto";
  if (!others.includes(version) && !parseWanted(version)) {
    const words = ["auto", "latest", ...others].join(", ");
    refuse(name, `${words}, an exact version such as 1.2.3, nor a semver range such as 1.2 or >=1.2 <2`);
  }
  return version;
}

function readGcloud(reader: InputReader): Pick<ToolSettings, "gcloudVersion" | "gcloudSha256"> {
  const gcloudVersion = readVersion(reader, "gcloud_version", "none");
  const gcloudSha256 = reader.optional("gcloud_sha256");
  if (gcloudSha256 && !/^[0-9a-f]{64}$/i.test(gcloudSha256)) {
    reader.refuse("gcloud_sha256", "the 64 hexadecimal digits that sha256sum prints for the archive");
  }
  if (gcloudSha256 && parseWanted(gcloudVersion)?.kind !== "exact") {
    reader.mistakes.push(
      `gcloud_sha256 is the checksum of one archive: it needs an exact gcloud_version, not ${quote(gcloudVersion)}`,
    );
  }
  return { gcloudVersion, gcloudSha256 };
}
