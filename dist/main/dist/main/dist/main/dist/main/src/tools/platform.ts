import { ActionError } from "../base/errors.ts";

/** Operating system and processor, named as in Go and in download URLs. */
export interface Platform {
  os: "linux" | "darwin" | "windows";
  arch: "amd64" | "arm64";
}

/**
 * @param platform,arch as in `process.platform` and `process.arch`
 * @throws ActionError for platforms that GitHub has no runners for
 */
export function platformOf(platform: string, arch: string): Platform {
  const os = { linux: "linux", darwin: "darwin", win32: "windows" } as const;
  const processor = { x64: "amd64", arm64: "arm64" } as const;
  if (!isKey(os, platform) || !isKey(processor, arch)) {
    throw new ActionError(`There are no tools for this runner's platform, ${platform} on ${arch}.`, {
      fix: "Use a Linux, macOS or Windows runner on x64 or arm64, or one that has kubectl and helm on PATH.",
    });
  }
  return { os: os[platform], arch: processor[arch] };
}

function isKey<Table extends object>(table: Table, key: PropertyKey): key is keyof Table {
  return Object.hasOwn(table, key);
}
