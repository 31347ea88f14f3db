import { join } from "node:path";
import { type BuiltDebian, buildDebian12 } from "../../tools/debian-12/build.ts";
import { ROOT } from "./small-linux.ts";

/** Debian 12: that of `npm run debian-12`, built once for all. */
export function debian12(): Promise<BuiltDebian> {
  return buildDebian12({
    outputFolder: join(ROOT, ".cache/debian-12"),
    log: (line) => process.stderr.write(`${line}\n`),
  });
}

/** Building takes two minutes on a slow machine that has never built it, and booting another. */
export const DEBIAN_HOOK_MS = 600_000;
