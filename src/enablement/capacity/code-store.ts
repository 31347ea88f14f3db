import { type Kysely, type Selectable, sql } from "kysely";
import type { CapacityCode as CodeRow, DB } from "../../database/types.ts";
import type { CodeId, HostId, PartyId } from "../../unit/id.ts";
import { type CapacityCode, capacityCodeSchema } from "./code.ts";
import type { CapacityResource } from "./resource.ts";
import type { CapacityTerms } from "./terms.ts";

export interface StoredCode {
  readonly codeId: CodeId;
  readonly providerPartyId: PartyId;
  readonly hostId: HostId;
  readonly customerPartyId: PartyId;
  readonly code: CapacityCode;
  readonly jws: string;
  readonly issuedAt: Date;
  readonly claimExpiresAt: Date | null;
  readonly claimedAt: Date | null;
}

/** Under the host's lock, so that no two codes have one number. */
export async function nextSequence(
  tx: Kysely<DB>,
  providerPartyId: PartyId,
  hostId: HostId,
): Promise<number> {
  const row = await tx
    .selectFrom("capacityCode")
    .select((eb) => eb.fn.max("sequence").as("last"))
    .where("providerPartyId", "=", providerPartyId)
    .where("hostId", "=", hostId)
    .executeTakeFirst();
  return (row?.last ?? 0) + 1;
}

export async function insertCode(
  tx: Kysely<DB>,
  stored: { code: CapacityCode; jws: string; now: Date },
  claim: { sha256: Buffer; expiresAt: Date },
): Promise<void> {
  const { code, jws, now } = stored;
  await tx
    .insertInto("capacityCode")
    .values({
      codeId: code.jti,
      providerPartyId: code.iss,
      hostId: code.aud,
      customerPartyId: code.customer.id,
      sequence: code.sequence,
      requestId: code.requestId,
      jws,
      code: JSON.stringify(code),
      issuedAt: now,
      claimSha256: claim.sha256,
      claimExpiresAt: claim.expiresAt,
    })
    .execute();
}

export async function findCode(db: Kysely<DB>, codeId: CodeId): Promise<StoredCode | undefined> {
  const row = await db
    .selectFrom("capacityCode")
    .selectAll()
    .where("codeId", "=", codeId)
    .executeTakeFirst();
  return row && toCode(row);
}

/** All that a provider issued for a host, by number. */
export async function listCodesOfHost(
  db: Kysely<DB>,
  { hostId, providerPartyId }: Pick<StoredCode, "hostId" | "providerPartyId">,
): Promise<StoredCode[]> {
  const rows = await db
    .selectFrom("capacityCode")
    .selectAll()
    .where("hostId", "=", hostId)
    .where("providerPartyId", "=", providerPartyId)
    .orderBy("sequence")
    .execute();
  return rows.map(toCode);
}

/** Those that have issued codes for a host; first the one whose code is the newest. */
export async function listProvidersOfHost(
  db: Kysely<DB>,
  hostId: HostId,
): Promise<readonly PartyId[]> {
  const rows = await db
    .selectFrom("capacityCode")
    .select("providerPartyId")
    .where("hostId", "=", hostId)
    .groupBy("providerPartyId")
    .orderBy((eb) => eb.fn.max("issuedAt"), "desc")
    .orderBy((eb) => eb.fn.max("codeId"), "desc")
    .execute();
  return rows.map((row) => row.providerPartyId as PartyId);
}

/** Newest first: of a provider, or for the hosts of an owner. */
export async function listCodes(
  db: Kysely<DB>,
  whose: { providerPartyId: PartyId } | { customerPartyId: PartyId },
): Promise<StoredCode[]> {
  const rows = await db
    .selectFrom("capacityCode")
    .selectAll()
    .where((eb) =>
      "providerPartyId" in whose
        ? eb("providerPartyId", "=", whose.providerPartyId)
        : eb("customerPartyId", "=", whose.customerPartyId),
    )
    .orderBy("codeId", "desc")
    .limit(LISTED_MAX)
    .execute();
  return rows.map(toCode);
}

const LISTED_MAX = 200;

/** The code that a claim number stands for, locked; whether it may be had is the caller's question. */
export async function lockClaim(
  tx: Kysely<DB>,
  claimSha256: Buffer,
): Promise<(StoredCode & { readonly claimedBySha256: Buffer | null }) | undefined> {
  const row = await tx
    .selectFrom("capacityCode")
    .selectAll()
    .where("claimSha256", "=", claimSha256)
    .forUpdate()
    .executeTakeFirst();
  return row && { ...toCode(row), claimedBySha256: row.claimedBySha256 };
}

export async function markClaimed(
  tx: Kysely<DB>,
  codeId: CodeId,
  claimed: { bySha256: Buffer; now: Date },
): Promise<void> {
  await tx
    .updateTable("capacityCode")
    .set({ claimedAt: claimed.now, claimedBySha256: claimed.bySha256 })
    .where("codeId", "=", codeId)
    .execute();
}

/** How many wrong numbers were tried lately: from one address, and from everywhere. */
export async function countClaimAttempts(
  db: Kysely<DB>,
  address: string,
  since: Date,
): Promise<{ readonly fromAddress: number; readonly all: number }> {
  const { rows } = await sql<{ fromAddress: number; all: number }>`
    select count(*) filter (where address = ${address})::int as from_address, count(*)::int as all
    from claim_attempt where at > ${since}`.execute(db);
  return rows[0] ?? { fromAddress: 0, all: 0 };
}

export async function insertClaimAttempt(
  db: Kysely<DB>,
  attempt: { address: string; now: Date; forgetBefore: Date },
): Promise<void> {
  await db.deleteFrom("claimAttempt").where("at", "<", attempt.forgetBefore).execute();
  await db
    .insertInto("claimAttempt")
    .values({ address: attempt.address, at: attempt.now })
    .execute();
}

export async function writeCapacityTerms(
  db: Kysely<DB>,
  set: { providerPartyId: PartyId; resource: CapacityResource; terms: CapacityTerms; now: Date },
): Promise<void> {
  const terms = JSON.stringify(set.terms);
  await db
    .insertInto("capacityTerms")
    .values({
      providerPartyId: set.providerPartyId,
      resource: set.resource,
      terms,
      setAt: set.now,
    })
    .onConflict((conflict) =>
      conflict.columns(["providerPartyId", "resource"]).doUpdateSet({ terms, setAt: set.now }),
    )
    .execute();
}

export async function listCapacityTerms(
  db: Kysely<DB>,
  providerPartyId: PartyId,
): Promise<{ resource: CapacityResource; terms: CapacityTerms; setAt: Date }[]> {
  const rows = await db
    .selectFrom("capacityTerms")
    .selectAll()
    .where("providerPartyId", "=", providerPartyId)
    .orderBy("resource")
    .execute();
  return rows.map((row) => ({
    resource: row.resource as CapacityResource,
    terms: row.terms as unknown as CapacityTerms,
    setAt: row.setAt,
  }));
}

function toCode(row: Selectable<CodeRow>): StoredCode {
  return {
    codeId: row.codeId as CodeId,
    providerPartyId: row.providerPartyId as PartyId,
    hostId: row.hostId as HostId,
    customerPartyId: row.customerPartyId as PartyId,
    code: capacityCodeSchema.parse(row.code),
    jws: row.jws,
    issuedAt: row.issuedAt,
    claimExpiresAt: row.claimExpiresAt,
    claimedAt: row.claimedAt,
  };
}
