import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/base/process.ts";
import { succeed } from "../../bench/lab.ts";
import { type Cell, cell } from "../cell.ts";

/** The runner's disk, and the files that GitHub hands to a step. */
export const RUNNER_CELLS: readonly Cell[] = [
  ...Object.entries({
    GITHUB_OUTPUT: "outputs",
    GITHUB_STEP_SUMMARY: "success",
    GITHUB_STATE: "state",
  }).flatMap(([variable, expected]) => [
    file(`${variable}'s disk full`, expected, variable, () => "/dev/full"),
    // Appending makes the summary's file.
    file(`${variable} missing`, expected, variable, (directory) => join(directory, "missing")),
    readOnly(
      file(`${variable} read-only`, expected, variable, (directory) => join(diskOf(directory), "file")),
    ),
  ]),
  {
    ...cell("disk full under RUNNER_TEMP", "start", "disk-full"),
    isImpossible: withoutMounts,
    async prepare({ directory }) {
      const disk = await mountDisk(directory, "size=4k");
      // A first page takes all there is.
      await run({ name: "dd", path: "/bin/dd" }, ["if=/dev/zero", `of=${join(disk, "full")}`, "bs=4k"]);
      return { runner: { RUNNER_TEMP: disk } };
    },
    strike: async () => {},
    mend: ({ directory }) => unmountDisk(directory),
  },
];

function file(
  fault: string,
  expected: string,
  variable: string,
  pathIn: (directory: string) => string,
): Cell {
  return {
    ...cell(fault, "start", expected),
    prepare: async ({ directory }) => ({ runner: { [variable]: pathIn(directory) } }),
    strike: async () => {},
  };
}

/** Puts a cell's file on a read-only disk: root may write to every file of another one. */
function readOnly(cell: Cell): Cell {
  return {
    ...cell,
    isImpossible: withoutMounts,
    async prepare(bench) {
      const disk = await mountDisk(bench.directory, "size=4k");
      await succeed({ name: "touch", path: "/bin/touch" }, [join(disk, "file")]);
      await succeed({ name: "mount", path: "/bin/mount" }, ["-o", "remount,ro", disk]);
      return (await cell.prepare?.(bench)) ?? {};
    },
    mend: ({ directory }) => unmountDisk(directory),
  };
}

function withoutMounts(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "only root may mount a small disk";
}

async function mountDisk(directory: string, options: string): Promise<string> {
  const disk = diskOf(directory);
  await mkdir(disk);
  await succeed({ name: "mount", path: "/bin/mount" }, ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
  return disk;
}

async function unmountDisk(directory: string): Promise<void> {
  await succeed({ name: "umount", path: "/bin/umount" }, [diskOf(directory)]);
}

/** Where a small disk is mounted. */
function diskOf(directory: string): string {
  return join(directory, "disk");
}
