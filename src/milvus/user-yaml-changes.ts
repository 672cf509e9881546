import { type Document, parseDocument } from "yaml";
import { holdsTooMuch, isMap, type YamlMap } from "../base/yaml.ts";
import { differences } from "../kubernetes/field-difference.ts";
import { HTTP_PORT, normalizedSetting, TLS_MODE } from "./setting-names.ts";

/** A setting of `user.yaml` that changes. */
export interface SettingChange {
  /** e.g. `common.security.tlsMode` */
  path: string;
  /** Undefined: it isn't set. Values are texts, as they are written. */
  before: unknown;
  after: unknown;
  /** Whether it is one that this action sets, which no secret can be. */
  isOurs: boolean;
}

const OURS = [TLS_MODE, HTTP_PORT].map(normalizedSetting);

/**
 * Returns the settings in which two `user.yaml` differ; none where only comments or their order do, or
 * where one of them can't be read.
 */
export function userYamlChanges(before: unknown, after: unknown): SettingChange[] {
  const [one, other] = [settingsIn(before), settingsIn(after)];
  if (!one || !other) return [];
  return differences(one, other)
    .flatMap(leaves)
    .map((change) => ({
      ...change,
      isOurs: OURS.includes(normalizedSetting([change.path])),
    }));
}

/** Returns a text's settings without types, so that they are shown as they are written. */
function settingsIn(text: unknown): YamlMap | undefined {
  if (text === undefined || text === null || text === "") return {};
  if (typeof text !== "string") return undefined;
  const document = parseDocument(text, { schema: "failsafe", logLevel: "error" });
  if (document.errors.length > 0) return undefined;
  const settings = contentOf(document);
  return isMap(settings) && !holdsTooMuch(settings) ? settings : undefined;
}

/** Returns a document's value; undefined if its aliases stand for too much. */
function contentOf(document: Document): unknown {
  try {
    return document.toJS();
  } catch {
    return undefined;
  }
}

/** Takes a map that is new or gone apart, so that each of its settings is a change. */
function leaves({ path, before, after }: Omit<SettingChange, "isOurs">): Omit<SettingChange, "isOurs">[] {
  const map =
    isMap(after) && before === undefined ? after : isMap(before) && after === undefined ? before : undefined;
  if (!map) return [{ path, before, after }];
  return Object.entries(map).flatMap(([key, value]) =>
    leaves({
      path: `${path}.${key}`,
      ...(map === after ? { before: undefined, after: value } : { before: value, after: undefined }),
    }),
  );
}
