import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeTempFolder } from "./temp-folder.ts";

/** Only root may mount one. */
export const mayMount = process.getuid?.() === 0;

/** A file system of its own, in memory, small enough to be filled to the last byte. */
export interface SmallDisk {
  readonly path: string;
  /** Until nobody can write anything more, but for so many bytes. */
  fill(leaveBytes?: number): void;
  /** Takes away what `fill` wrote. */
  free(): void;
  remove(): void;
}

export function makeSmallDisk(purpose: string, mebibytes: number): SmallDisk {
  const folder = makeTempFolder(purpose);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=755`, "tmpfs", folder.path]);
  const ballast = join(folder.path, "ballast");
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(folder.path);
    return bavail * bsize;
  };
  return {
    path: folder.path,
    fill(leaveBytes = 0) {
      const file = openSync(ballast, "a");
      try {
        for (let rest = freeBytes() - leaveBytes; rest > 0; rest = freeBytes() - leaveBytes) {
          writeSync(file, Buffer.alloc(Math.min(rest, 2 ** 20)));
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      // Lazily: a process that was killed may still hold a file of it open for a moment.
      execFileSync("umount", ["--lazy", folder.path]);
      folder.remove();
    },
  };
}
