import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { CodeAccount, Draw } from "../../enablement/capacity/account.ts";
import { type CapacityCode, capacityCodeSchema } from "../../enablement/capacity/code.ts";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import type { CodeId, PartyId, ServiceId } from "../../unit/id.ts";
import { listReservations, type ReservationRow } from "./reservation-store.ts";
import type { ServiceRow } from "./service-store.ts";

/** An accepted code, with what was debited from it. */
export interface StoredCode {
  readonly code: CapacityCode;
  readonly sha256: string;
  readonly jws: string;
  readonly debited: bigint;
  readonly acceptedAt: string;
  /** Since when it serves leases alone; null: it is the owner's own. */
  readonly lentAt: string | null;
  /** What was left of it then. */
  readonly lentLeft: bigint | null;
}

export function insertCode(
  db: DatabaseSync,
  stored: Omit<StoredCode, "debited" | "lentAt" | "lentLeft">,
): void {
  const { code, sha256, jws, acceptedAt } = stored;
  db.prepare(
    "INSERT INTO capacity_code (code_id, sha256, jws, code, accepted_at) VALUES (?, ?, ?, ?, ?)",
  ).run(code.jti, sha256, jws, JSON.stringify(code), acceptedAt);
}

export function readCode(db: DatabaseSync, codeId: string): StoredCode | null {
  const row = db.prepare("SELECT * FROM capacity_code WHERE code_id = ?").get(codeId);
  return row === undefined ? null : parseRow(row);
}

/** In the order in which they were accepted. */
export function listCodes(db: DatabaseSync): readonly StoredCode[] {
  return db.prepare("SELECT * FROM capacity_code ORDER BY rowid").all().map(parseRow);
}

/** Whose code, and of what. */
export interface AccountKey {
  readonly providerId: PartyId;
  readonly resource: CapacityResource;
}

/**
 * What the host's owner may draw on of a provider's codes for a resource: none that are lent, and
 * nothing that is reserved for leases.
 */
export function ownerAccounts(
  db: DatabaseSync,
  { providerId, resource }: AccountKey,
): readonly CodeAccount[] {
  return listCodes(db)
    .filter(({ code }) => code.iss === providerId && code.resource === resource)
    .filter(({ lentAt }) => lentAt === null)
    .map((stored) => withReserved(db, stored, null));
}

/**
 * What a service may draw on. One of a lease has what it has reserved, and that first; by a code that
 * is lent it has that code alone.
 */
export function accountsOf(
  db: DatabaseSync,
  { serviceId, leaseId, isLent, codeId, ...key }: ServiceRow,
): readonly CodeAccount[] {
  const lent = isLent ? readCode(db, codeId) : null;
  if (lent !== null) return [withReserved(db, lent, serviceId)];
  if (leaseId === null) return ownerAccounts(db, key);
  return ownerAccounts(db, key).flatMap((account) => {
    const stored = readCode(db, account.codeId);
    return stored === null ? [] : [withReserved(db, stored, serviceId)];
  });
}

/** What of a code is reserved, for whomever. */
export function reservedOf(db: DatabaseSync, codeId: CodeId): bigint {
  return listReservations(db)
    .filter((row) => row.codeId === codeId)
    .reduce((sum, { quantity }) => sum + quantity, 0n);
}

/** From the side of a service: what others have reserved is not there for it. */
function withReserved(
  db: DatabaseSync,
  stored: StoredCode,
  serviceId: ServiceId | null,
): CodeAccount {
  const rows = listReservations(db).filter(({ codeId }) => codeId === stored.code.jti);
  const sum = (of: readonly ReservationRow[]) => of.reduce((all, one) => all + one.quantity, 0n);
  return {
    ...accountOf(stored),
    reserved: sum(rows.filter((row) => row.serviceId !== serviceId)),
    own: sum(rows.filter((row) => row.serviceId === serviceId)),
  };
}

export function accountOf({ code, debited }: StoredCode): CodeAccount {
  return {
    codeId: code.jti,
    providerId: code.iss,
    resource: code.resource,
    quantity: code.quantity,
    resourceTime: BigInt(code.resourceTime),
    debited,
    validFromMs: Date.parse(code.validity.start),
    validUntilMs: Date.parse(code.validity.end),
  };
}

/** Null: it is the owner's own again. */
export function setLent(
  db: DatabaseSync,
  codeId: CodeId,
  lent: { readonly at: string; readonly left: bigint } | null,
): void {
  db.prepare("UPDATE capacity_code SET lent_at = ?, lent_left = ? WHERE code_id = ?").run(
    lent?.at ?? null,
    lent === null ? null : `${lent.left}`,
    codeId,
  );
}

export function debitCodes(db: DatabaseSync, debits: Draw["debits"]): void {
  for (const { codeId, quantity } of debits) {
    const debited = (readCode(db, codeId)?.debited ?? 0n) + quantity;
    db.prepare("UPDATE capacity_code SET debited = ? WHERE code_id = ?").run(`${debited}`, codeId);
  }
}

const rowSchema = z.object({
  sha256: z.string(),
  jws: z.string(),
  code: z.string().transform((text) => capacityCodeSchema.parse(JSON.parse(text))),
  debited: z.string().transform(BigInt),
  accepted_at: z.string(),
  lent_at: z.string().nullable(),
  lent_left: z.string().transform(BigInt).nullable(),
});

function parseRow(found: unknown): StoredCode {
  const row = rowSchema.parse(found);
  const { accepted_at: acceptedAt, lent_at: lentAt, lent_left: lentLeft, ...rest } = row;
  return { ...rest, acceptedAt, lentAt, lentLeft };
}
