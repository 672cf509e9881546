/**
 * Undoes what secret stores and workflows do to a PEM text, and returns it as OpenSSL reads it: without
 * base64 around it, `\n` in place of line ends, Windows line ends, or indentation.
 */
export function plainPem(text: string): string {
  const decoded = text.includes("-----") ? text : Buffer.from(text, "base64").toString();
  const pem = decoded.includes("-----BEGIN") ? decoded : text;
  const lines = pem.replaceAll("\\n", "\n").split(/\r?\n/);
  return lines
    .map((line) => line.trim())
    .join("\n")
    .trim();
}
