/**
 * Writes characters outside ASCII as escapes. V8 reads a text that has one in twice as
 * much memory, and more slowly.
 */
export function asciiOnly(code: string): string {
  return code.replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
