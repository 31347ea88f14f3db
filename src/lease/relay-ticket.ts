import { createHash, randomBytes } from "node:crypto";

/** 256 random bits: a plain hash of it needs no salt, and cannot be guessed from the hash. */
const TICKET_BYTES = 32;
/** From its making to its use is one round trip; a slow link and a retry fit well. */
export const TICKET_SECONDS = 30;

export function newTicket(): string {
  return `ticket_${randomBytes(TICKET_BYTES).toString("base64url")}`;
}

/** What the database keeps of a ticket. */
export function ticketSha256(ticket: string): Buffer {
  return createHash("sha256").update(ticket).digest();
}
