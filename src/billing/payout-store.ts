import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { PartyId } from "../unit/id.ts";

export interface PayoutDue {
  readonly lender: { readonly id: PartyId; readonly name: string };
  readonly earnedMicros: bigint;
  readonly paidOutMicros: bigint;
  readonly dueMicros: bigint;
}

export interface PayoutQuery {
  /** Less than this is not listed; what is nothing is not either. */
  readonly minMicros: bigint;
  /** Payouts are in whole units of this. */
  readonly minorUnitMicros: bigint;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** By party id, from behind `cursor` on. */
export async function listPayoutsDue(db: Kysely<DB>, query: PayoutQuery): Promise<PayoutDue[]> {
  const { minMicros, minorUnitMicros, cursor, limit } = query;
  const { rows } = await sql<Omit<PayoutDue, "lender"> & { partyId: PartyId; name: string }>`
    select * from (
      select p.party_id, p.name,
        coalesce(sum(e.amount_micros) filter (where t.kind = 'bill'), 0)::bigint as earned_micros,
        -coalesce(sum(e.amount_micros) filter (where t.kind <> 'bill'), 0)::bigint
          as paid_out_micros,
        (sum(e.amount_micros)::bigint / ${minorUnitMicros}::bigint) * ${minorUnitMicros}::bigint
          as due_micros
      from account a join party p using (party_id) join ledger_entry e using (account_id)
      join ledger_transaction t using (transaction_id)
      where a.kind = 'earnings' and (${cursor ?? null}::text is null or p.party_id > ${cursor ?? null})
      group by p.party_id, p.name) d
    where due_micros > 0 and due_micros >= ${minMicros}
    order by party_id limit ${limit}`.execute(db);
  return rows.map(({ partyId, name, ...due }) => ({ ...due, lender: { id: partyId, name } }));
}

/** Of earnings to the micro-unit: what can be paid out in whole minor units. */
export function payoutDueMicros(earningsMicros: bigint, minorUnitMicros: bigint): bigint {
  return earningsMicros > 0n ? earningsMicros - (earningsMicros % minorUnitMicros) : 0n;
}
