import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { CodeAccount, Draw } from "../../enablement/capacity/account.ts";
import { type CapacityCode, capacityCodeSchema } from "../../enablement/capacity/code.ts";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import type { CodeId, PartyId } from "../../unit/id.ts";

/** An accepted code, with what was debited from it. */
export interface StoredCode {
  readonly code: CapacityCode;
  readonly sha256: string;
  readonly jws: string;
  readonly debited: bigint;
  readonly acceptedAt: string;
}

export function insertCode(db: DatabaseSync, stored: Omit<StoredCode, "debited">): void {
  const { code, sha256, jws, acceptedAt } = stored;
  db.prepare(
    "INSERT INTO capacity_code (code_id, sha256, jws, code, accepted_at) VALUES (?, ?, ?, ?, ?)",
  ).run(code.jti, sha256, jws, JSON.stringify(code), acceptedAt);
}

export function readCode(db: DatabaseSync, codeId: CodeId): StoredCode | null {
  const row = db.prepare("SELECT * FROM capacity_code WHERE code_id = ?").get(codeId);
  return row === undefined ? null : parseRow(row);
}

/** In the order in which they were accepted. */
export function listCodes(db: DatabaseSync): readonly StoredCode[] {
  return db.prepare("SELECT * FROM capacity_code ORDER BY rowid").all().map(parseRow);
}

/** The accounts of a provider's codes for a resource. */
export function listAccounts(
  db: DatabaseSync,
  providerId: PartyId,
  resource: CapacityResource,
): readonly CodeAccount[] {
  return listCodes(db)
    .filter(({ code }) => code.iss === providerId && code.resource === resource)
    .map(accountOf);
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
});

function parseRow(found: unknown): StoredCode {
  const { accepted_at: acceptedAt, ...row } = rowSchema.parse(found);
  return { ...row, acceptedAt };
}
