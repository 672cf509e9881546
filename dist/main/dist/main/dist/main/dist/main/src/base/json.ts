import * as v from "valibot";

/** Parses a JSON text. Returns undefined if it is not JSON or does not match the schema. */
export function parseJson<T>(schema: v.GenericSchema<unknown, T>, text: unknown): T | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
