import type { IncomingHttpHeaders } from "node:http";
import { basename } from "node:path";
import { DownloadError, excerpt, type HttpOptions, readText } from "./http.ts";

/**
 * Where the checksum of a file is: a known SHA-256 in hex; a URL whose content is a SHA-256 or the output of
 * `sha256sum`; or the header with the MD5 that Google Cloud Storage sends with the file.
 */
export type Checksum = { sha256: string } | { url: string } | { header: "x-goog-hash" };

/** How to verify a file. */
export interface Proof {
  algorithm: "sha256" | "md5";
  /**
   * Returns the published checksum in lower-case hex, given the headers that came with the file.
   *
   * @throws DownloadError `unverified` when there is none
   */
  expected: (headers: IncomingHttpHeaders) => Promise<string>;
}

/** Starts to fetch the published checksum of a file, so that it arrives while the file is downloaded. */
export function proofOf(url: string, checksum: Checksum, options: HttpOptions): Proof {
  if ("header" in checksum) {
    return { algorithm: "md5", expected: async (headers) => sumInHeader(url, headers[checksum.header]) };
  }
  const sum =
    "sha256" in checksum
      ? Promise.resolve(checksum.sha256.toLowerCase())
      : publishedSum(url, checksum.url, options);
  // Awaited after the file: if both are missing, the error should name the file.
  sum.catch(() => {});
  return { algorithm: "sha256", expected: () => sum };
}

async function publishedSum(url: string, sumUrl: string, options: HttpOptions): Promise<string> {
  const text = await readText(sumUrl, options).catch((error: unknown) => {
    if (!(error instanceof DownloadError)) throw error;
    throw new DownloadError(
      error.obstacle === "missing" ? "unverified" : error.obstacle,
      `The SHA-256 of ${url} is not known: ${error.message}`,
      error,
    );
  });
  const sum = parseSum(text, basename(new URL(url).pathname));
  if (sum) return sum;
  throw new DownloadError(
    "unverified",
    `The SHA-256 of ${url} is not known: ${sumUrl} holds none for it, but ${excerpt(text)}.`,
  );
}

function sumInHeader(url: string, header: string | string[] | undefined): string {
  const sum = parseGoogHash([header ?? ""].flat().join(","));
  if (sum) return sum;
  throw new DownloadError(
    "unverified",
    `The MD5 of ${url} is not known: the answer's header x-goog-hash holds ${excerpt(String(header ?? ""))}.`,
  );
}

/**
 * Returns the SHA-256 of a file, in lower-case hex, from a checksum file: a bare sum, or the file's line as
 * `sha256sum` writes it. Undefined if there is none.
 */
export function parseSum(text: string, file: string): string | undefined {
  for (const line of text.split("\n")) {
    const [, sum, name] = /^([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(line) ?? [];
    if (sum && (name === undefined || basename(name) === file)) return sum.toLowerCase();
  }
  return undefined;
}

/**
 * Returns the MD5, in lower-case hex, of a header `x-goog-hash` (`crc32c=<base64>,md5=<base64>`), or
 * undefined (https://docs.cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash).
 */
export function parseGoogHash(header: string): string | undefined {
  const [, sum] = /(?:^|[\s,])md5=([A-Za-z0-9+/]{22}==)(?=$|[\s,])/.exec(header) ?? [];
  return sum && Buffer.from(sum, "base64").toString("hex");
}
