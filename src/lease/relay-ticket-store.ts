import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import type { KeyId, LeaseId } from "../unit/id.ts";
import { newTicket, TICKET_SECONDS, ticketSha256 } from "./relay-ticket.ts";

/** How long a ticket that is over is still known by name. */
const KEPT_MS = 3_600_000;

export interface TicketFor {
  readonly leaseId: LeaseId;
  readonly keyId: KeyId;
  readonly now: Date;
}

/** Returns the ticket itself, which is nowhere kept. */
export async function insertTicket(
  db: Kysely<DB>,
  { leaseId, keyId, now }: TicketFor,
): Promise<{ ticket: string; expiresAt: Date }> {
  const oldest = new Date(now.getTime() - KEPT_MS);
  await db.deleteFrom("relayTicket").where("expiresAt", "<", oldest).execute();
  const ticket = newTicket();
  const expiresAt = new Date(now.getTime() + TICKET_SECONDS * 1000);
  await db
    .insertInto("relayTicket")
    .values({ ticketSha256: ticketSha256(ticket), leaseId, keyId, createdAt: now, expiresAt })
    .execute();
  return { ticket, expiresAt };
}

/** Uses a ticket up, once and for all; refuses by name what is not this lease's and this key's. */
export async function redeemTicket(
  db: Kysely<DB>,
  ticket: string,
  { leaseId, keyId, now }: TicketFor,
): Promise<void> {
  const sha256 = ticketSha256(ticket);
  const { numUpdatedRows } = await db
    .updateTable("relayTicket")
    .set({ usedAt: now })
    .where("ticketSha256", "=", sha256)
    .where("leaseId", "=", leaseId)
    .where("keyId", "=", keyId)
    .where("usedAt", "is", null)
    .where("expiresAt", ">", now)
    .executeTakeFirst();
  if (numUpdatedRows === 1n) return;
  const known = await db
    .selectFrom("relayTicket")
    .select(["leaseId", "keyId", "usedAt"])
    .where("ticketSha256", "=", sha256)
    .executeTakeFirst();
  if (known === undefined) throw refusal("ticket-unknown", {});
  if (known.keyId !== keyId) throw refusal("ticket-of-other-key", {});
  if (known.leaseId !== leaseId) throw refusal("ticket-of-other-lease", { leaseId });
  if (known.usedAt !== null) throw refusal("ticket-used", {});
  throw refusal("ticket-expired", { seconds: TICKET_SECONDS });
}
