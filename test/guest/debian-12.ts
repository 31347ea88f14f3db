import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BuiltDebian, buildDebian12 } from "../../tools/debian-12/build.ts";
import { ROOT } from "./small-linux.ts";

const execute = promisify(execFile);
const CACHE = join(ROOT, ".cache");

/**
 * Debian 12: that of `npm run debian-12`, built once for all. Waits for whoever is building it;
 * `isHeld`: the caller is that one.
 */
export async function debian12({ isHeld = false } = {}): Promise<BuiltDebian> {
  await mkdir(CACHE, { recursive: true });
  const [program = "", ...args] = holdingDebian("true");
  if (!isHeld) await execute(program, args);
  return buildDebian12({
    outputFolder: join(CACHE, "debian-12"),
    log: (line) => process.stderr.write(`${line}\n`),
  });
}

/** The command line by which one program at a time has Debian's folder to build in. */
export function holdingDebian(...command: string[]): string[] {
  return ["flock", join(CACHE, "debian-12.lock"), ...command];
}

/** Building takes two minutes on a slow machine that has never built it, and booting another. */
export const DEBIAN_HOOK_MS = 600_000;
