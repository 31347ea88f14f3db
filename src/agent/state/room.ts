import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/**
 * What the agent still has to write when the host's disk is full: ends, wipe receipts, and hours of
 * usage records of every guest. A record has about 1 KiB and comes once a minute and guest.
 */
const ROOM_BYTES = 2 ** 20;
/** Pages of 4 KiB: the log begins anew before it needs more than the room that it has. */
const LOG_PAGES_MAX = 200;

/** Outside of any transaction. */
export function createRoom(db: DatabaseSync): void {
  db.exec("CREATE TABLE IF NOT EXISTS room (filler BLOB NOT NULL) STRICT");
  db.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES_MAX}`);
}

/**
 * Keeps free pages within `agent.db` and as much in its write-ahead log, which SQLite does not
 * shorten while it is open: so a full disk, perhaps filled by a guest's own, keeps no lease from
 * its end. Called again and again; false while there is no space to make good what was used up.
 */
export function keepRoom(db: DatabaseSync): boolean {
  try {
    if (!hasRoom(db)) {
      db.prepare("INSERT INTO room (filler) VALUES (zeroblob(?))").run(ROOM_BYTES);
      db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    }
    // In a transaction of its own: what is freed in the one that made it never reaches the disk.
    if (db.prepare("SELECT 1 FROM room").get() !== undefined) db.exec("DELETE FROM room");
    return true;
  } catch (error) {
    if (!isDatabaseFull(error)) throw error;
    return false;
  }
}

export function isDatabaseFull(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: number }).errcode === SQLITE_FULL;
}

const SQLITE_FULL = 13;

/** The free pages are used up by and by, and made good when half of them are. */
function hasRoom(db: DatabaseSync): boolean {
  const { freelist_count: pages } = freeRow.parse(db.prepare("PRAGMA freelist_count").get());
  const { page_size: bytes } = sizeRow.parse(db.prepare("PRAGMA page_size").get());
  const log = statSync(`${db.location()}-wal`, { throwIfNoEntry: false });
  return pages * bytes >= ROOM_BYTES / 2 && (log?.size ?? 0) >= ROOM_BYTES;
}

const freeRow = z.object({ freelist_count: z.number() });
const sizeRow = z.object({ page_size: z.number() });
