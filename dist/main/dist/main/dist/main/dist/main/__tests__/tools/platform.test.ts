import { expect, test } from "vitest";
import { platformOf } from "../../src/tools/platform.ts";

test.each([
  ["linux", "x64", "linux", "amd64"],
  ["darwin", "arm64", "darwin", "arm64"],
  ["win32", "arm64", "windows", "arm64"],
])("%s on %s", (platform, arch, os, processor) => {
  expect(platformOf(platform, arch)).toEqual({ os, arch: processor });
});

test.each([
  ["freebsd", "x64"],
  ["linux", "riscv64"],
  ["toString", "x64"],
])("%s on %s is refused by name", (platform, arch) => {
  expect(() => platformOf(platform, arch)).toThrow(`${platform} on ${arch}`);
});
