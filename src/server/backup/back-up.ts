import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "pino";
import { copyCluster } from "../../database/backup/copy-cluster.ts";
import {
  type CopiedFile,
  copyFiles,
  filesOf,
  syncFolder,
} from "../../database/backup/copy-tree.ts";
import { EmbeddedPostgresError } from "../../database/embedded/error.ts";
import { startEmbeddedPostgres } from "../../database/embedded.ts";
import { knownMigrations } from "../../database/migrate.ts";
import { PRODUCT_VERSION } from "../../unit/version.ts";
import { BackupError } from "./error.ts";
import { type BackupManifest, MANIFEST } from "./manifest.ts";

export interface BackupOptions {
  /** The server's data folder, whether a server runs on it or not. */
  readonly dataFolder: string;
  /** Becomes the backup; new or empty. */
  readonly target: string;
  readonly log: Logger;
  readonly now: Date;
}

export interface MadeBackup {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/** What the database knows by digest: operating systems, and what runs left for their clients. */
const BLOB_FOLDERS = ["images", "outputs"];

/**
 * Copies database (keys, books, leases), images and kept outputs into one folder, each file with its checksum,
 * while the server goes on. What was acknowledged before this was called is in it.
 */
export async function backUp(options: BackupOptions): Promise<MadeBackup> {
  const { dataFolder } = options;
  const target = resolve(options.target);
  const database = join(dataFolder, "database");
  const cluster = join(database, "postgres");
  if (!existsSync(cluster)) {
    throw new BackupError(
      "no-database",
      `${dataFolder} holds no database of a server; name its folder with --data, and where the server has a DATABASE_URL back that up with pg_dump, and ${join(dataFolder, "images")} and ${join(dataFolder, "outputs")} by copying`,
    );
  }
  await makeEmpty(target);
  const copied = await withPostgres(database, options.log, () =>
    copyCluster(cluster, join(target, "database", "postgres")),
  );
  const files = copied.map((file) => ({ ...file, path: `database/postgres/${file.path}` }));
  // After the database: whatever image or outputs that knows are there by now.
  for (const name of BLOB_FOLDERS) {
    const blobs = await copyBlobs(join(dataFolder, name), join(target, name));
    files.push(...blobs.map((file) => ({ ...file, path: `${name}/${file.path}` })));
  }
  const postgres = (await readFile(join(cluster, "PG_VERSION"), "utf8")).trim();
  const manifest: BackupManifest = {
    format: 1,
    version: PRODUCT_VERSION,
    postgres,
    migrations: knownMigrations(),
    madeAt: options.now.toISOString(),
    files,
  };
  await writeManifest(target, manifest);
  return {
    folder: target,
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** New or empty, and for nobody else to read: the server's signing key is in it. */
export async function makeEmpty(folder: string): Promise<void> {
  await makeFolder(folder);
  if ((await readdir(folder)).length === 0) return;
  throw new BackupError("folder-not-empty", `${folder} is not empty; name a new folder`);
}

/**
 * With the folders above it, one after the other: where a file system makes none (/proc says that
 * there is no such place), Node's own way to make several tries for ever.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    if (!existsSync(dirname(folder))) await makeFolder(dirname(folder));
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    throw new BackupError(
      "folder-not-made",
      `${folder} cannot be made (${code}); name one where this user may write`,
    );
  }
}

/** With the server's own PostgreSQL while it runs, else with one that is started for this. */
async function withPostgres<T>(database: string, log: Logger, act: () => Promise<T>): Promise<T> {
  const started = await startEmbeddedPostgres({ dataFolder: database, log }).catch(
    (error: unknown) => {
      const runs = error instanceof EmbeddedPostgresError && error.code === "data-folder-in-use";
      if (runs) return null;
      throw error;
    },
  );
  try {
    return await act();
  } finally {
    await started?.stop();
  }
}

async function copyBlobs(from: string, to: string): Promise<CopiedFile[]> {
  return copyFiles(from, to, await filesOf(from, (name) => name.endsWith(".part")));
}

async function writeManifest(target: string, manifest: BackupManifest): Promise<void> {
  const file = await open(join(target, MANIFEST), "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  syncFolder(target);
}
