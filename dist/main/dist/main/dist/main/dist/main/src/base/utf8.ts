/**
 * Decodes the bytes of a file and keeps a byte order mark.
 *
 * @throws Error when they are in another encoding, which would otherwise silently become other characters
 */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error("it is not UTF-8", { cause: error });
  }
}
