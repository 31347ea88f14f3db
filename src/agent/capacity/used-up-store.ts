import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import type { PartyId } from "../../unit/id.ts";

/** Whose codes, and for what. */
export interface Account {
  readonly providerId: PartyId;
  readonly resource: CapacityResource;
}

/** Since when the resource-time of all these codes is used up; null: it is not, or nobody saw it. */
export function readUsedUp(db: DatabaseSync, { providerId, resource }: Account): string | null {
  const row = db
    .prepare("SELECT since FROM capacity_used_up WHERE provider_id = ? AND resource = ?")
    .get(providerId, resource);
  return row === undefined ? null : rowSchema.parse({ ...row }).since;
}

export function writeUsedUp(
  db: DatabaseSync,
  { providerId, resource }: Account,
  since: string,
): void {
  db.prepare("INSERT INTO capacity_used_up (provider_id, resource, since) VALUES (?, ?, ?)").run(
    providerId,
    resource,
    since,
  );
}

export function forgetUsedUp(db: DatabaseSync, { providerId, resource }: Account): void {
  db.prepare("DELETE FROM capacity_used_up WHERE provider_id = ? AND resource = ?").run(
    providerId,
    resource,
  );
}

const rowSchema = z.object({ since: z.string() });
