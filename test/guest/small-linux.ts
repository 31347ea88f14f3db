import { join } from "node:path";
import { buildSmallLinux } from "../../tools/small-linux/build.ts";

export const ROOT = join(import.meta.dirname, "../..");

/** The folder of the small Linux: that of the demo, built once for both. */
export async function smallLinux(): Promise<string> {
  const cache = join(ROOT, ".cache");
  const { folder } = await buildSmallLinux({
    outputFolder: join(cache, "small-linux"),
    cacheFolder: join(cache, "packages"),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  return folder;
}
