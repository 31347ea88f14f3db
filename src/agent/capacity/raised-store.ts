import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** What a shared guest's life was raised to. */
export interface Raised {
  readonly guestId: string;
  readonly processId: string;
  readonly cpuMilli: number;
}

export function listRaised(db: DatabaseSync): readonly Raised[] {
  return db
    .prepare(
      `SELECT guest_id AS "guestId", process_id AS "processId", cpu_milli AS "cpuMilli"
         FROM capacity_raised ORDER BY guest_id`,
    )
    .all()
    .map((row) => rowSchema.parse({ ...row }));
}

export function writeRaised(db: DatabaseSync, { guestId, processId, cpuMilli }: Raised): void {
  db.prepare(
    "INSERT OR REPLACE INTO capacity_raised (guest_id, process_id, cpu_milli) VALUES (?, ?, ?)",
  ).run(guestId, processId, cpuMilli);
}

export function deleteRaised(db: DatabaseSync, guestId: string): void {
  db.prepare("DELETE FROM capacity_raised WHERE guest_id = ?").run(guestId);
}

const rowSchema = z.object({ guestId: z.string(), processId: z.string(), cpuMilli: z.number() });
