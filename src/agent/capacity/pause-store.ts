import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { PAUSE_REASONS, type PauseReason } from "../../enablement/capacity/act.ts";

/** Why a service's timer stands still, as the acts have told; null: it runs. */
export function readPause(db: DatabaseSync, serviceId: string): PauseReason | null {
  const row = db.prepare("SELECT reason FROM capacity_pause WHERE service_id = ?").get(serviceId);
  return row === undefined ? null : rowSchema.parse({ ...row }).reason;
}

export function writePause(db: DatabaseSync, serviceId: string, reason: PauseReason): void {
  db.prepare("INSERT OR REPLACE INTO capacity_pause (service_id, reason) VALUES (?, ?)").run(
    serviceId,
    reason,
  );
}

export function deletePause(db: DatabaseSync, serviceId: string): void {
  db.prepare("DELETE FROM capacity_pause WHERE service_id = ?").run(serviceId);
}

const rowSchema = z.object({ reason: z.enum(PAUSE_REASONS) });
