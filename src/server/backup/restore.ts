import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "pino";
import { copyFiles, syncFolder } from "../../database/backup/copy-tree.ts";
import { startEmbeddedPostgres } from "../../database/embedded.ts";
import { knownMigrations } from "../../database/migrate.ts";
import { makeEmpty } from "./back-up.ts";
import { BackupError } from "./error.ts";
import { type BackupManifest, readBackupManifest } from "./manifest.ts";

export interface RestoreOptions {
  readonly backup: string;
  /** Becomes the server's data folder; new or empty. */
  readonly dataFolder: string;
  readonly log: Logger;
}

export interface Restored {
  readonly folder: string;
  readonly madeAt: string;
  readonly version: string;
}

/** Folders that PostgreSQL expects and that a backup of files alone does not hold. */
const EMPTY_FOLDERS = [
  ...["pg_commit_ts", "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots"],
  ...["pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal"],
  ...["pg_wal/archive_status", "pg_wal/summaries", "pg_logical/mappings", "pg_logical/snapshots"],
];

/**
 * Makes a server's data folder of a backup. Every file is compared with its checksum and the
 * database recovers once before the folder gets its name: what is damaged becomes no data folder.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const backup = resolve(options.backup);
  const dataFolder = resolve(options.dataFolder);
  const manifest = await readBackupManifest(backup);
  checkVersion(manifest);
  await makeEmpty(dataFolder);
  const staging = join(dirname(dataFolder), `.${process.pid}.restoring`);
  await rm(staging, { recursive: true, force: true });
  try {
    await copyIn(backup, staging, manifest);
    const postgres = await startEmbeddedPostgres({
      dataFolder: join(staging, "database"),
      log: options.log,
    });
    await postgres.stop();
    await rename(staging, dataFolder);
    syncFolder(dirname(dataFolder));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return { folder: dataFolder, madeAt: manifest.madeAt, version: manifest.version };
}

/** An older one is migrated by the server's next start; what a newer one knows, this does not. */
function checkVersion({ migrations, version }: BackupManifest): void {
  const own = new Set(knownMigrations());
  const unknown = migrations.find((name) => !own.has(name));
  if (unknown === undefined) return;
  throw new BackupError(
    "backup-newer",
    `the backup is of version ${version}, which has the migration ${unknown} that this one does not know; restore it with that version or a newer one`,
  );
}

async function copyIn(backup: string, staging: string, { files }: BackupManifest): Promise<void> {
  await mkdir(join(staging, "database", "postgres"), { recursive: true, mode: 0o700 });
  for (const folder of EMPTY_FOLDERS) {
    await mkdir(join(staging, "database", "postgres", folder), { recursive: true, mode: 0o700 });
  }
  const paths = files.map(({ path }) => path);
  const copied = new Map(
    (await copyFiles(backup, staging, paths)).map((file) => [file.path, file] as const),
  );
  for (const { path, bytes, sha256 } of files) {
    const file = copied.get(path);
    if (file?.bytes === bytes && file.sha256 === sha256) continue;
    throw new BackupError(
      "backup-damaged",
      `${path} of the backup is ${file ? "not what it was" : "missing"}; restore another backup`,
    );
  }
}
