import * as v from "valibot";

/** Returns what a JSON text holds when it is as the schema wants it; undefined for anything else. */
export function parseJson<T>(schema: v.GenericSchema<unknown, T>, text: unknown): T | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
