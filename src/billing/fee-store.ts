import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { PartyId } from "../unit/id.ts";

/** The operator's part of what lenders earn, in parts per million; what is booked keeps its own. */
export interface FeeRate {
  /** Null: of every lender that has no rate of its own. */
  readonly lender: { readonly id: PartyId; readonly name: string } | null;
  readonly feePpm: number;
  readonly setAt: Date;
}

/** The rate of the first start, unless there is one already. Answers the one in force. */
export async function ensureFee(tx: Kysely<DB>, firstPpm: number, now: Date): Promise<number> {
  await lockFees(tx);
  const [first] = (await listFees(tx)).filter(({ lender }) => lender === null);
  if (first) return first.feePpm;
  await insertFee(tx, { lenderPartyId: null, feePpm: firstPpm, setBy: null, now });
  return firstPpm;
}

export interface NewFee {
  readonly lenderPartyId: PartyId | null;
  /** Null: this lender has no rate of its own any more. */
  readonly feePpm: number | null;
  readonly setBy: PartyId | null;
  readonly now: Date;
}

/** A new version; one that changes nothing is none. */
export async function setFee(tx: Kysely<DB>, fee: NewFee): Promise<void> {
  await lockFees(tx);
  const before = (await listFees(tx)).find(
    ({ lender }) => (lender?.id ?? null) === fee.lenderPartyId,
  );
  if ((before?.feePpm ?? null) !== fee.feePpm) await insertFee(tx, fee);
}

/** What the operator takes of what this party earns from now on. */
export async function operatorFeeOf(db: Kysely<DB>, partyId: PartyId): Promise<number> {
  const { rows } = await sql<{ feePpm: number }>`
    select operator_fee_of(${partyId}) as fee_ppm`.execute(db);
  return rows[0]?.feePpm ?? 0;
}

/** The rates in force: everybody's first, then those of single lenders by name. */
export async function listFees(db: Kysely<DB>): Promise<FeeRate[]> {
  const { rows } = await sql<{
    lenderPartyId: PartyId | null;
    name: string | null;
    feePpm: number;
    setAt: Date;
  }>`
    select * from (
      select distinct on (f.lender_party_id) f.lender_party_id, p.name, f.fee_ppm, f.set_at
      from operator_fee f left join party p on p.party_id = f.lender_party_id
      order by f.lender_party_id, f.version desc) newest
    where fee_ppm is not null
    order by name nulls first`.execute(db);
  return rows.map(({ lenderPartyId, name, ...rate }) => ({
    ...rate,
    lender: lenderPartyId && { id: lenderPartyId, name: name ?? "" },
  }));
}

async function insertFee(tx: Kysely<DB>, fee: NewFee): Promise<void> {
  const { now, ...columns } = fee;
  await tx
    .insertInto("operatorFee")
    .values({ ...columns, setAt: now })
    .execute();
}

/** Changes take turns, over any number of servers; whoever reads does not wait. */
async function lockFees(tx: Kysely<DB>): Promise<void> {
  await sql`lock table operator_fee in share row exclusive mode`.execute(tx);
}
