import { type Kysely, type RawBuilder, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { PartyId } from "../unit/id.ts";

export interface TotalsQuery {
  readonly by: "host" | "lender" | "client" | "month";
  /** Null: of everybody. */
  readonly partyId: PartyId | null;
  readonly from: Date | null;
  readonly to: Date | null;
  /** In which a month is one. */
  readonly timeZone: string;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface BillTotal {
  readonly of: { readonly id: string; readonly name: string };
  readonly lender: { readonly id: PartyId; readonly name: string } | null;
  readonly bills: number;
  readonly totalMicros: bigint;
  readonly earningsMicros: bigint;
  readonly feeMicros: bigint;
  readonly roundingMicros: bigint;
}

/**
 * Bills added up, by the time of the use that they are for: the begin of their period, or of their
 * first line's; without any, when they closed. The shares are what the ledger has of each. From
 * behind `cursor` on.
 */
export async function readBillTotals(db: Kysely<DB>, query: TotalsQuery): Promise<BillTotal[]> {
  const { partyId, from, to, cursor, limit } = query;
  const { id, name, lenderId, lenderName } = KEYS[query.by](query.timeZone);
  const { rows } = await sql<
    Omit<BillTotal, "of" | "lender"> & {
      id: string;
      name: string;
      lenderId: PartyId | null;
      lenderName: string | null;
    }
  >`
    with used as (
      select *, coalesce((document -> 'period' ->> 'start')::timestamptz,
        (document #>> '{lines,0,period,start}')::timestamptz, closed_at) as used_at
      from bill
      where ${partyId}::text is null or client_party_id = ${partyId} or lender_party_id = ${partyId}
    ),
    shared as (
      select b.*, s.*, ${id} as id, ${name} as name,
        ${lenderId} as lender_id, ${lenderName} as lender_name
      from used b
      join host h on h.host_id = b.host_id
      join party l on l.party_id = b.lender_party_id
      join party c on c.party_id = b.client_party_id
      cross join lateral (
        select ${shareOf("earnings")} as earnings_micros, ${shareOf("fee")} as fee_micros,
          ${shareOf("rounding")} as rounding_micros
        from ledger_transaction t join ledger_entry e using (transaction_id)
        join account a using (account_id) where t.cause = b.bill_id) s
      where (${from}::timestamptz is null or used_at >= ${from})
        and (${to}::timestamptz is null or used_at < ${to})
    )
    select id, name, lender_id, lender_name, count(*)::int as bills,
      sum(total_micros)::bigint as total_micros, sum(earnings_micros)::bigint as earnings_micros,
      sum(fee_micros)::bigint as fee_micros, sum(rounding_micros)::bigint as rounding_micros
    from shared
    where ${cursor ?? null}::text is null or id > ${cursor ?? null}
    group by id, name, lender_id, lender_name
    order by id limit ${limit}`.execute(db);
  return rows.map(({ id: key, name: called, lenderId: ofId, lenderName: ofName, ...total }) => ({
    of: { id: key, name: called },
    lender: ofId && { id: ofId, name: ofName ?? "" },
    ...total,
  }));
}

function shareOf(account: "earnings" | "fee" | "rounding") {
  return sql`coalesce(sum(e.amount_micros) filter (where a.kind = ${account}), 0)`;
}

interface Key {
  readonly id: RawBuilder<unknown>;
  readonly name: RawBuilder<unknown>;
  readonly lenderId: RawBuilder<unknown>;
  readonly lenderName: RawBuilder<unknown>;
}
const NOBODY = { lenderId: sql`null::text`, lenderName: sql`null::text` };

const KEYS: Readonly<Record<TotalsQuery["by"], (timeZone: string) => Key>> = {
  host: () => ({
    ...{ id: sql`h.host_id`, name: sql`h.name` },
    ...{ lenderId: sql`l.party_id`, lenderName: sql`l.name` },
  }),
  lender: () => ({ id: sql`l.party_id`, name: sql`l.name`, ...NOBODY }),
  client: () => ({ id: sql`c.party_id`, name: sql`c.name`, ...NOBODY }),
  month: (timeZone) => {
    const month = sql`to_char(used_at at time zone ${timeZone}, 'YYYY-MM')`;
    return { id: month, name: month, ...NOBODY };
  },
};
