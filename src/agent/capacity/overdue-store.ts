import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Account } from "./used-up-store.ts";

/** Since when there is more without receipt than the codes allow; null: there is not. */
export function readOverdue(db: DatabaseSync, { providerId, resource }: Account): string | null {
  const row = db
    .prepare("SELECT since FROM capacity_overdue WHERE provider_id = ? AND resource = ?")
    .get(providerId, resource);
  return row === undefined ? null : rowSchema.parse({ ...row }).since;
}

export function writeOverdue(
  db: DatabaseSync,
  { providerId, resource }: Account,
  since: string | null,
): void {
  if (since === null) {
    db.prepare("DELETE FROM capacity_overdue WHERE provider_id = ? AND resource = ?").run(
      providerId,
      resource,
    );
    return;
  }
  db.prepare(
    "INSERT OR REPLACE INTO capacity_overdue (provider_id, resource, since) VALUES (?, ?, ?)",
  ).run(providerId, resource, since);
}

const rowSchema = z.object({ since: z.string() });
