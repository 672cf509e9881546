import { satisfies } from "semver";

/** The version of Milvus in an image's tag; undefined if the tag says none. */
export function milvusVersion(image: string): string | undefined {
  return /:v?(\d+\.\d+\.\d+)/.exec(image)?.[1];
}

/** These versions respond UNKNOWN instead of UNAUTHENTICATED (milvus#33974). */
export function refusesAsUnknown(version: string | undefined): boolean {
  return version !== undefined && satisfies(version, ">=2.3.0 <2.3.5");
}

/** Milvus has the method CheckHealth since 2.2. */
export function hasCheckHealth(version: string | undefined): boolean {
  return version === undefined || satisfies(version, ">=2.2.0");
}
