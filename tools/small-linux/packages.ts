import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { run } from "./run.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly sha256: string;
}

/** The packages, with their exact versions, that apt would download now. Needs no root. */
export async function resolvePackages(architecture: Architecture): Promise<Package[]> {
  const kernel = await kernelPackages(architecture);
  const tools = await libraryClosure(["dropbear-bin", "openssh-sftp-server"]);
  return downloadable([...kernel, "busybox-static", ...tools]);
}

/** What apt would download for these names, and for nothing that they depend on. */
export async function downloadable(names: readonly string[]): Promise<Package[]> {
  for (const name of names) {
    // It prints nothing, and ends well, for a name that is only mentioned by what is installed.
    const known = await run("apt-cache", ["madison", name]).catch(() => null);
    if (!known?.toString().trim()) throw new AptListsMissing(`apt does not know ${name}`);
  }
  const printed = await run("apt-get", ["download", "--print-uris", ...names]);
  return printed
    .toString()
    .split("\n")
    .filter((line) => line.startsWith("'"))
    .map(parseDownload);
}

/**
 * Asks apt, and where its lists were never fetched, fetches them and asks once more: the first needs
 * no root.
 */
export async function withAptLists<Answer>(
  ask: () => Promise<Answer>,
  log: (line: string) => void,
): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AptListsMissing)) throw error;
    if (process.getuid?.() !== 0) {
      throw new Error(`${error.message}; type: sudo apt-get update`, { cause: error });
    }
    log("fetching apt's lists of packages");
    await run("apt-get", ["update", "-qq"]);
    return ask();
  }
}

/** Downloads what the cache lacks, checks every file against apt's digest, and gives their paths. */
export async function downloadPackages(
  packages: readonly Package[],
  cacheFolder: string,
): Promise<string[]> {
  await mkdir(cacheFolder, { recursive: true });
  const missing = packages.filter(({ file }) => !existsSync(join(cacheFolder, file)));
  if (missing.length > 0) {
    const folder = join(cacheFolder, `download-${process.pid}`);
    await mkdir(folder, { recursive: true });
    const wanted = missing.map(({ name, version }) => `${name}=${version}`);
    // As root apt would change to a user that may not write here, and then warn that it did not.
    const sandbox = process.getuid?.() === 0 ? ["-o", "APT::Sandbox::User=root"] : [];
    await run("apt-get", [...sandbox, "download", ...wanted], { folder });
    for (const { file } of missing) await rename(join(folder, file), join(cacheFolder, file));
    await rm(folder, { recursive: true });
  }
  const paths = packages.map(({ file }) => join(cacheFolder, file));
  for (const [index, path] of paths.entries()) await verify(path, packages[index]?.sha256 ?? "");
  return paths;
}

/** A line of `apt-get download --print-uris`: 'URI' FILE SIZE SHA256:DIGEST */
export function parseDownload(line: string): Package {
  const [, file, , digest] = line.split(" ");
  const [name, version] = file?.split("_") ?? [];
  if (!file || !name || !version || !digest?.startsWith("SHA256:")) {
    throw new Error(`apt-get printed a line that was not understood: ${line}`);
  }
  const sha256 = digest.slice("SHA256:".length);
  return { name, version: decodeURIComponent(version), file, sha256 };
}

async function kernelPackages({ kernelPackages: names }: Architecture): Promise<string[]> {
  for (const name of names) {
    const [image] = (await dependencies(name)).filter((found) => found.startsWith("linux-image-"));
    if (image === undefined) continue;
    // Debian's image carries its modules; Ubuntu's names a package of them.
    const modules = await dependencies(image);
    return [image, ...modules.filter((found) => found.startsWith("linux-modules-"))];
  }
  throw new AptListsMissing(`apt knows none of ${names.join(", ")}`);
}

/** Thrown when apt knows nothing: its lists were never fetched, or the mirror lacks the kernel. */
export class AptListsMissing extends Error {
  override readonly name = "AptListsMissing";
}

/** The programs' packages and the libraries they need, but not e.g. the SSH client. */
async function libraryClosure(names: readonly string[]): Promise<string[]> {
  const seen = new Set(names);
  for (const name of seen) {
    for (const found of await dependencies(name)) {
      if (found.startsWith("lib") || found.startsWith("zlib")) seen.add(found);
    }
  }
  // Only files for gcc and for crashes: nothing here loads them.
  seen.delete("libgcc-s1");
  return [...seen];
}

async function dependencies(name: string): Promise<string[]> {
  const printed = await run("apt-cache", ["depends", "--important", name]).catch(() => null);
  const lines = printed?.toString().split("\n") ?? [];
  return lines
    .map((line) => /^\s*\|?Depends: ([^<\s:]+)/.exec(line)?.[1])
    .filter((found) => found !== undefined);
}

async function verify(path: string, sha256: string): Promise<void> {
  const found = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  if (found === sha256) return;
  await rm(path);
  throw new Error(`${path} was not what apt promised and was deleted; run this again`);
}
