import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { BillId, LeaseId, PartyId, TransactionId } from "../unit/id.ts";
import type { PartyAccount, ServerAccount } from "./ledger-store.ts";
import type { TransactionKind } from "./postings.ts";

export interface StatementQuery {
  readonly partyId: PartyId;
  /** With the accounts of the server itself. */
  readonly withOwnBooks: boolean;
  readonly from: Date;
  readonly to: Date;
  /** Go on behind this transaction. */
  readonly cursor?: string | undefined;
  /** At most the lines of so many transactions. */
  readonly limit: number;
}

export interface StatementAccount {
  readonly account: PartyAccount | ServerAccount;
  readonly openingMicros: bigint;
  readonly closingMicros: bigint;
}

export interface StatementLine {
  readonly transactionId: TransactionId;
  readonly at: Date;
  readonly kind: TransactionKind;
  readonly account: PartyAccount | ServerAccount;
  readonly amountMicros: bigint;
  readonly balanceMicros: bigint;
  readonly memo: string;
  readonly parties: string[];
  readonly billId: BillId | null;
  readonly leaseId: LeaseId | null;
  readonly host: string | null;
  readonly reverses: TransactionId | null;
}

/** What stood on each account when the period began, and when it ended. */
export async function readStatementAccounts(
  db: Kysely<DB>,
  { from, to, ...query }: StatementQuery,
): Promise<StatementAccount[]> {
  const { rows } = await sql<StatementAccount>`
    with mine as (${entriesOf(query)})
    select account,
      coalesce(sum(amount_micros) filter (where at < ${from}), 0)::bigint as opening_micros,
      coalesce(sum(amount_micros) filter (where at < ${to}), 0)::bigint as closing_micros
    from mine group by account
    order by ${ACCOUNT_ORDER}`.execute(db);
  return rows;
}

/** Oldest first; each line with the balance of its account after it. */
export async function readStatementLines(
  db: Kysely<DB>,
  { from, to, cursor, limit, ...query }: StatementQuery,
): Promise<StatementLine[]> {
  const { rows } = await sql<StatementLine>`
    with mine as (${entriesOf(query)}),
    running as (
      select *, (sum(amount_micros) over (
        partition by account order by at, transaction_id))::bigint as balance_micros
      from mine where at < ${to}
    ),
    page as (
      select distinct at, transaction_id from running
      where at >= ${from} and (${cursor ?? null}::text is null or (at, transaction_id) >
        (select at, transaction_id from ledger_transaction where transaction_id = ${cursor ?? null}))
      order by at, transaction_id limit ${limit}
    )
    select r.transaction_id, r.at, t.kind, r.account, r.amount_micros, r.balance_micros, t.memo,
      t.reverses, b.bill_id, b.lease_id, h.name as host,
      (select coalesce(array_agg(distinct p.name order by p.name), '{}')
        from ledger_entry e join account a using (account_id) join party p using (party_id)
        where e.transaction_id = r.transaction_id) as parties
    from page join running r using (at, transaction_id)
    join ledger_transaction t using (transaction_id)
    left join bill b on b.bill_id = t.cause
    left join host h on h.host_id = b.host_id
    order by r.at, r.transaction_id, ${ACCOUNT_ORDER}`.execute(db);
  return rows;
}

/** Cash counts as what is there, which the ledger has as a debit. */
function entriesOf({ partyId, withOwnBooks }: Pick<StatementQuery, "partyId" | "withOwnBooks">) {
  return sql`
    select e.transaction_id, t.at, a.kind as account,
      case a.kind when 'cash' then -e.amount_micros else e.amount_micros end as amount_micros
    from account a join ledger_entry e using (account_id)
    join ledger_transaction t using (transaction_id)
    where a.party_id = ${partyId} or (${withOwnBooks} and a.party_id is null)`;
}

const ACCOUNT_ORDER = sql`array_position(
  array['funds', 'earnings', 'cash', 'fee', 'rounding'], account)`;
