import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { processStart } from "../lock.ts";
import { type Neighbour, refuseOverlap, type Share } from "./decide.ts";

export interface Place {
  /** The agent stops: its share is free again when none of its guests is left. */
  leave(): void;
}

export interface PlaceInput {
  /** One folder for all agents of this computer, gone with its next start. */
  readonly runFolder: string;
  readonly share: Share;
  readonly machine: { readonly cores: readonly number[]; readonly memoryBytes: number };
  readonly bootId: string;
}

const WAIT_MS = 10_000;

/**
 * Agents of one computer find each other in `machine.db`: each writes there what it lends, and is
 * refused (`cores-taken`, `memory-taken`) when others have it. An entry counts while its process
 * lives, by pid and start time, or while leases of it are not wiped: guests outlive their agent.
 */
export function takePlace({ runFolder, share, machine, bootId }: PlaceInput): Place {
  mkdirSync(runFolder, { recursive: true, mode: 0o700 });
  const path = join(runFolder, "machine.db");
  within(path, (db) => {
    const neighbours = others(db, share.dataFolder, bootId);
    refuseOverlap(share, neighbours, machine);
    db.prepare(
      `INSERT OR REPLACE INTO agent (data_folder, boot_id, pid, start, cores, memory_bytes)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ).run(
      share.dataFolder,
      bootId,
      process.pid,
      processStart(process.pid) ?? "",
      JSON.stringify(share.cores),
      share.memoryBytes,
    );
  });
  return {
    leave: () => {
      try {
        within(path, (db) =>
          db.prepare("UPDATE agent SET pid = NULL WHERE data_folder = ?").run(share.dataFolder),
        );
      } catch {
        // Somebody cleared the folder, or its disk is full: the end of the process says the same.
      }
    },
  };
}

/** One at a time, so that two that start at once see each other. */
function within(path: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(`PRAGMA busy_timeout = ${WAIT_MS}; BEGIN IMMEDIATE`);
    db.exec(
      `CREATE TABLE IF NOT EXISTS agent (
         data_folder  TEXT PRIMARY KEY,
         boot_id      TEXT NOT NULL,
         pid          INTEGER,
         start        TEXT NOT NULL,
         cores        TEXT NOT NULL,
         memory_bytes INTEGER NOT NULL
       ) STRICT`,
    );
    work(db);
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

function others(db: DatabaseSync, dataFolder: string, bootId: string): Neighbour[] {
  const rows = db
    .prepare("SELECT * FROM agent WHERE data_folder <> ? ORDER BY data_folder")
    .all(dataFolder)
    .map((row) => rowSchema.parse(row));
  const neighbours: Neighbour[] = [];
  for (const row of rows) {
    const isAlive = row.pid !== null && processStart(row.pid) === row.start;
    if (row.boot_id === bootId && (isAlive || hasGuests(row.data_folder))) {
      const { data_folder, cores, memory_bytes } = row;
      const pid = isAlive ? row.pid : null;
      neighbours.push({ dataFolder: data_folder, cores, memoryBytes: memory_bytes, pid });
    } else {
      db.prepare("DELETE FROM agent WHERE data_folder = ?").run(row.data_folder);
    }
  }
  return neighbours;
}

/** Of an agent that does not run: whether leases are left that are not wiped. */
function hasGuests(dataFolder: string): boolean {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(join(dataFolder, "agent.db"), { readOnly: true });
    return (
      db.prepare("SELECT 1 FROM lease WHERE stage NOT IN ('wiped', 'done')").get() !== undefined
    );
  } catch {
    // Its folder is gone, and its guests' files with it.
    return false;
  } finally {
    db?.close();
  }
}

const rowSchema = z.object({
  data_folder: z.string(),
  boot_id: z.string(),
  pid: z.number().nullable(),
  start: z.string(),
  cores: z.string().transform((text) => z.array(z.number()).parse(JSON.parse(text))),
  memory_bytes: z.number(),
});
