import { load } from "js-yaml";
import { isMap } from "../base/yaml.ts";
import { contentIn } from "../gke/kubeconfig.ts";
import type { Settings } from "./settings.ts";

/**
 * The fields with credentials of a kubeconfig (k8s.io/client-go, tools/clientcmd/api/v1, AuthInfo) and of
 * Google's credential files.
 */
const SECRET_FIELD =
  /^(((access|id|refresh)[-_])?token|password|client-key-data|client[-_]secret|private_key|authorization)$/i;
/** Names of variables with credentials that a kubeconfig passes to a credential plugin. */
const SECRET_VARIABLE = /token|secret|password|key/i;
/** Masking a shorter text would hide much of the log. */
const SHORTEST = 8;

/**
 * Returns the texts in the inputs that the runner must mask in the job's log. The runner masks a text of
 * several lines line by line: common lines are therefore left out here.
 */
export function secretsOf({
  milvusToken,
  githubToken,
  chartLogin,
  certificate,
  cluster,
  google,
}: Pick<
  Settings,
  "milvusToken" | "githubToken" | "chartLogin" | "certificate" | "cluster" | "google"
>): string[] {
  const privateKey = certificate.kind === "self-managed" ? certificate.given?.privateKey : undefined;
  const kubeconfig = cluster.kind === "kubeconfig" ? cluster.kubeconfig : undefined;
  const content = kubeconfig && contentIn(kubeconfig);
  const { credentialsJson } = google.credentials;
  const secrets = [
    ...(milvusToken ? [milvusToken] : []),
    ...(githubToken ? [githubToken] : []),
    ...(chartLogin ? [chartLogin.password || chartLogin.user] : []),
    ...linesOf(privateKey ?? ""),
    ...(kubeconfig && content ? [...wholeOf(kubeconfig), ...secretsAmong(parsed(content))] : []),
    ...(credentialsJson ? [...wholeOf(credentialsJson), ...secretsAmong(parsed(credentialsJson))] : []),
  ];
  return [...new Set(secrets)];
}

/** Most lines of a longer text are no secrets: only a single line is masked as a whole. */
function wholeOf(text: string): string[] {
  return /[\r\n]/.test(text.trim()) ? [] : [text.trim()];
}

/** A text that can't be parsed is reported where it is used. */
function parsed(text: string): unknown {
  try {
    return load(text);
  } catch {
    return undefined;
  }
}

/**
 * @param seen what was looked through already: aliases can stand for it any number of times, also in itself
 */
function secretsAmong(value: unknown, seen = new Set<unknown>()): string[] {
  if (typeof value !== "object" || seen.has(value)) return [];
  seen.add(value);
  if (Array.isArray(value)) return value.flatMap((item) => secretsAmong(item, seen));
  if (!isMap(value)) return [];
  const variable =
    typeof value.name === "string" && SECRET_VARIABLE.test(value.name) ? value.value : undefined;
  const fields = Object.entries(value).filter(([name]) => SECRET_FIELD.test(name));
  const texts = [variable, ...fields.map(([, text]) => text)].filter((text) => typeof text === "string");
  // A JSON file has a key with escaped line ends; other places have its lines.
  const own = texts.flatMap((text) => [JSON.stringify(text).slice(1, -1), ...linesOf(text)]);
  return [...own, ...Object.values(value).flatMap((below) => secretsAmong(below, seen))].filter(
    ({ length }) => length >= SHORTEST,
  );
}

/** Returns the lines of a PEM text without its first and last one, which all such texts share. */
function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line.length >= SHORTEST && !line.startsWith("-----"));
}
