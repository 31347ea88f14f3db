import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { adminClient } from "../embedded/admin.ts";
import { type CopiedFile, copyFiles, filesOf, foldersOf } from "./copy-tree.ts";

/** What PostgreSQL makes anew at each start, and what is of this process alone. */
const NOT_COPIED =
  /^(postmaster\.(pid|opts)|backup_label.*|tablespace_map.*|pg_internal\.init)$|^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/|pgsql_tmp/;
/** Copied last: it tells from where recovery begins. */
const CONTROL = "global/pg_control";

/**
 * Copies a cluster while it is used, as PostgreSQL's manual has it for a low-level backup: between
 * `pg_backup_start` and `pg_backup_stop` in one session, then the log of changes of that time. A
 * slot that lasts as long as the session keeps PostgreSQL from taking that log away.
 */
export async function copyCluster(cluster: string, target: string): Promise<CopiedFile[]> {
  const socketFolder = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[4] ?? "";
  const client = adminClient(socketFolder);
  await client.connect();
  try {
    await client.query(
      "select pg_create_physical_replication_slot('sublet_backup_' || pg_backend_pid(), true, true)",
    );
    await client.query("select pg_backup_start('sublet', true)");
    for (const path of await foldersOf(cluster)) {
      await mkdir(join(target, path), { recursive: true, mode: 0o700 });
    }
    const paths = await filesOf(cluster, (path) => NOT_COPIED.test(path) || path === CONTROL);
    const copied = await copyFiles(cluster, target, paths);
    copied.push(...(await copyFiles(cluster, target, [CONTROL])));
    const { rows } = await client.query<{ label: string; map: string }>(
      "select labelfile as label, spcmapfile as map from pg_backup_stop(false)",
    );
    const log = await filesOf(join(cluster, "pg_wal"), (path) => !/^[0-9A-F]{24}$/.test(path));
    copied.push(
      ...(await copyFiles(
        cluster,
        target,
        log.map((name) => `pg_wal/${name}`),
      )),
    );
    copied.push(await writeLabel(target, rows[0]?.label ?? ""));
    return copied;
  } finally {
    await client.end();
  }
}

/** With it PostgreSQL recovers from where the backup began, whatever `pg_control` says. */
async function writeLabel(target: string, label: string): Promise<CopiedFile> {
  const path = "backup_label";
  const file = await open(join(target, path), "wx", 0o600);
  try {
    await file.writeFile(label);
    await file.sync();
  } finally {
    await file.close();
  }
  const sha256 = createHash("sha256").update(label).digest("hex");
  return { path, bytes: Buffer.byteLength(label), sha256 };
}
