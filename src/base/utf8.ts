/**
 * Returns the text in a file's bytes, a byte order mark included.
 *
 * @throws Error when they are in another encoding: what doesn't fit would silently become other characters
 */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error("it is not UTF-8", { cause: error });
  }
}
