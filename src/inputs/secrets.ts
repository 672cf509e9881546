import { load } from "js-yaml";
import { isMap } from "../base/yaml.ts";
import { contentIn } from "../gke/kubeconfig.ts";
import type { Settings } from "./settings.ts";

/**
 * The fields with credentials of a kubeconfig (k8s.io/client-go, tools/clientcmd/api/v1, AuthInfo) and of Google's
 * credential files.
 */
const SECRET_FIELD =
  /^(((access|id|refresh)[-_])?token|password|client-key-data|client[-_]secret|private_key|authorization)$/i;
/** Names of the variables with credentials that a kubeconfig gives to a credential plugin. */
const SECRET_VARIABLE = /token|secret|password|key/i;
/** What is shorter stands elsewhere in the log too, which would be unreadable without it. */
const SHORTEST = 8;

/**
 * Returns those of the inputs, and what is in them, that must not appear in the job's log. The runner masks each line of
 * what it is told to mask: of several lines only those are returned that tell something.
 */
export function secretsIn({ milvusToken, chartLogin, certificate, cluster, google }: Settings): string[] {
  const privateKey = certificate.kind === "self-managed" ? certificate.given?.privateKey : undefined;
  const kubeconfig = cluster.kind === "kubeconfig" ? cluster.kubeconfig : undefined;
  const content = kubeconfig && contentIn(kubeconfig);
  const { credentialsJson } = google.credentials;
  const secrets = [
    ...(milvusToken ? [milvusToken] : []),
    ...(chartLogin ? [chartLogin.password || chartLogin.user] : []),
    ...linesOf(privateKey ?? ""),
    ...(kubeconfig && content ? [...wholeOf(kubeconfig), ...secretsAmong(parsed(content))] : []),
    ...(credentialsJson ? [...wholeOf(credentialsJson), ...secretsAmong(parsed(credentialsJson))] : []),
  ];
  return [...new Set(secrets)];
}

/** A text that is one line is secret as a whole; of several, most say nothing. */
function wholeOf(text: string): string[] {
  return /[\r\n]/.test(text.trim()) ? [] : [text.trim()];
}

/** What can't be read has its error later. */
function parsed(text: string): unknown {
  try {
    return load(text);
  } catch {
    return undefined;
  }
}

function secretsAmong(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(secretsAmong);
  if (!isMap(value)) return [];
  const variable =
    typeof value.name === "string" && SECRET_VARIABLE.test(value.name) ? value.value : undefined;
  const fields = Object.entries(value).filter(([name]) => SECRET_FIELD.test(name));
  const texts = [variable, ...fields.map(([, text]) => text)].filter((text) => typeof text === "string");
  // A key stands in its JSON file with escaped line ends, and without them wherever it is used.
  const own = texts.flatMap((text) => [JSON.stringify(text).slice(1, -1), ...linesOf(text)]);
  return [...own, ...Object.values(value).flatMap(secretsAmong)].filter(({ length }) => length >= SHORTEST);
}

/** Returns the lines of a PEM text without those that every such text has. */
function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line.length >= SHORTEST && !line.startsWith("-----"));
}
