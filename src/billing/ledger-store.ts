import { type Kysely, type RawBuilder, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type LeaseId, newId, type PartyId, type TransactionId } from "../unit/id.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import type { TransactionKind } from "./postings.ts";

/** What a party has. All in micro-units; credits are positive. */
export interface Funds {
  /** Deposits less withdrawals and bills. */
  readonly balanceMicros: bigint;
  readonly holdsMicros: bigint;
  readonly creditLimitMicros: bigint;
  /** balance − holds + credit limit: what can still be booked. */
  readonly freeMicros: bigint;
  /** By bills, less the operator's fee. */
  readonly earnedMicros: bigint;
  readonly paidOutMicros: bigint;
  /** earned − paid out: what the server owes a lender. */
  readonly earningsMicros: bigint;
}

export type PartyAccount = "funds" | "earnings";
export type ServerAccount = "cash" | "fee" | "rounding";
export interface Entry {
  readonly account: { kind: PartyAccount; partyId: PartyId } | { kind: ServerAccount };
  /** Positive: credit. Negative: debit. */
  readonly amountMicros: bigint;
}

export async function readFunds(db: Kysely<DB>, partyId: PartyId): Promise<Funds> {
  const { rows } = await sql<Omit<Funds, "freeMicros" | "earningsMicros">>`
    select p.credit_limit_micros,
      ${balance(partyId, "funds", sql`true`)} as balance_micros,
      ${balance(partyId, "earnings", sql`t.kind = 'bill'`)} as earned_micros,
      -${balance(partyId, "earnings", sql`t.kind <> 'bill'`)} as paid_out_micros,
      coalesce((select sum(amount_micros) from hold
        where party_id = ${partyId} and released_at is null), 0)::bigint as holds_micros
    from party p where p.party_id = ${partyId}`.execute(db);
  const [funds] = rows;
  if (!funds) throw refusal("not-found", { what: "party", id: partyId });
  return {
    ...funds,
    freeMicros: funds.balanceMicros - funds.holdsMicros + funds.creditLimitMicros,
    earningsMicros: funds.earnedMicros - funds.paidOutMicros,
  };
}

function balance(partyId: PartyId, kind: PartyAccount, which: RawBuilder<unknown>) {
  return sql`coalesce((select sum(e.amount_micros) from ledger_entry e
    join account a using (account_id) join ledger_transaction t using (transaction_id)
    where a.party_id = ${partyId} and a.kind = ${kind} and ${which}), 0)::bigint`;
}

/** What the server itself has: the operator's. */
export interface OwnBooks {
  /** Money that is there. */
  readonly cashMicros: bigint;
  readonly feeMicros: bigint;
  readonly roundingMicros: bigint;
}

export async function readOwnBooks(db: Kysely<DB>): Promise<OwnBooks> {
  const { rows } = await sql<OwnBooks>`
    select -${own("cash")} as cash_micros, ${own("fee")} as fee_micros,
      ${own("rounding")} as rounding_micros`.execute(db);
  const [books] = rows;
  if (!books) throw new Error("the server has no books");
  return books;
}

function own(account: ServerAccount) {
  return sql`coalesce((select sum(amount_micros) from ledger_entry
    where account_id = ${account}), 0)::bigint`;
}

/** Bookings, bills, withdrawals and payouts of one party take turns. */
export async function lockParty(tx: Kysely<DB>, partyId: PartyId): Promise<void> {
  await sql`select 1 from party where party_id = ${partyId} for update`.execute(tx);
}

/** Holds what a lease can cost at most; refuses `funds-short`. Under the party's lock. */
export async function placeHold(
  tx: Kysely<DB>,
  hold: { leaseId: LeaseId; partyId: PartyId; amountMicros: bigint; now: Date },
): Promise<void> {
  const { freeMicros } = await readFunds(tx, hold.partyId);
  if (freeMicros < hold.amountMicros) throw fundsShort(hold.amountMicros, freeMicros);
  await tx
    .insertInto("hold")
    .values({
      leaseId: hold.leaseId,
      partyId: hold.partyId,
      amountMicros: hold.amountMicros,
      createdAt: hold.now,
    })
    .execute();
}

/** Holds more for a lease; refuses `funds-short`. Under the party's lock. */
export async function raiseHold(
  tx: Kysely<DB>,
  hold: { leaseId: LeaseId; partyId: PartyId; byMicros: bigint },
): Promise<void> {
  const { freeMicros } = await readFunds(tx, hold.partyId);
  if (hold.byMicros > 0n && freeMicros < hold.byMicros) throw fundsShort(hold.byMicros, freeMicros);
  await changeHold(tx, hold.leaseId, hold.byMicros);
}

/** Gives back a part of what is held for a lease; nothing once the hold is released. */
export async function lowerHold(tx: Kysely<DB>, leaseId: LeaseId, byMicros: bigint): Promise<void> {
  await changeHold(tx, leaseId, -byMicros);
}

async function changeHold(tx: Kysely<DB>, leaseId: LeaseId, byMicros: bigint): Promise<void> {
  await tx
    .updateTable("hold")
    // What its bills have taken beyond the quote is not held any more.
    .set({ amountMicros: sql`greatest(amount_micros + ${byMicros}, 0)` })
    .where("leaseId", "=", leaseId)
    .where("releasedAt", "is", null)
    .execute();
}

/**
 * A bill of the lease has taken so much of what was held for it, or, when it is negative, given it
 * back; the rest stays held for what is still to come. The bill must be stored already.
 */
export async function settleHold(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  totalMicros: bigint,
): Promise<void> {
  await changeHold(tx, leaseId, -totalMicros);
}

/** What is held at present, newest first. */
export async function listHolds(
  db: Kysely<DB>,
  partyId: PartyId,
  limit: number,
): Promise<{ leaseId: LeaseId; amountMicros: bigint; createdAt: Date }[]> {
  const rows = await db
    .selectFrom("hold")
    .select(["leaseId", "amountMicros", "createdAt"])
    .where("partyId", "=", partyId)
    .where("releasedAt", "is", null)
    .orderBy("leaseId", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, leaseId: row.leaseId as LeaseId }));
}

export async function setCreditLimit(
  tx: Kysely<DB>,
  partyId: PartyId,
  creditLimitMicros: bigint,
): Promise<void> {
  await tx.updateTable("party").set({ creditLimitMicros }).where("partyId", "=", partyId).execute();
}

function fundsShort(neededMicros: bigint, freeMicros: bigint) {
  return refusal("funds-short", {
    neededMicros: neededMicros.toString(),
    freeMicros: freeMicros.toString(),
    needed: formatMoneyMicros(neededMicros),
    free: formatMoneyMicros(freeMicros),
  });
}

export async function releaseHold(tx: Kysely<DB>, leaseId: LeaseId, now: Date): Promise<void> {
  await tx
    .updateTable("hold")
    .set({ releasedAt: now })
    .where("leaseId", "=", leaseId)
    .where("releasedAt", "is", null)
    .execute();
}

export interface NewTransaction {
  readonly transactionId?: TransactionId;
  readonly kind: TransactionKind;
  /** What it is for: the same cause is posted once. */
  readonly cause: string;
  readonly postedBy: string | null;
  /** What a person says of it. */
  readonly memo?: string;
  /** Of a reversal: what it takes back. */
  readonly reverses?: TransactionId;
  readonly entries: readonly Entry[];
  readonly now: Date;
}

/** Answers false when this cause was posted before. The database refuses what does not balance. */
export async function post(tx: Kysely<DB>, transaction: NewTransaction): Promise<boolean> {
  const { kind, cause, postedBy, memo = "", reverses = null, entries, now } = transaction;
  const transactionId = transaction.transactionId ?? newId("transaction", now.getTime());
  const row = await tx
    .insertInto("ledgerTransaction")
    .values({ transactionId, kind, cause, at: now, postedBy, memo, reverses })
    .onConflict((conflict) => conflict.doNothing())
    .returning("transactionId")
    .executeTakeFirst();
  if (!row) return false;
  for (const { account, amountMicros } of entries) {
    const accountId = await ensureAccount(tx, account);
    await tx.insertInto("ledgerEntry").values({ transactionId, accountId, amountMicros }).execute();
  }
  return true;
}

async function ensureAccount(tx: Kysely<DB>, account: Entry["account"]): Promise<string> {
  const accountId = accountIdOf(account);
  if (!("partyId" in account)) return accountId;
  await tx
    .insertInto("account")
    .values({ accountId, partyId: account.partyId, kind: account.kind })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return accountId;
}

export function accountIdOf(account: Entry["account"]): string {
  return "partyId" in account ? `${account.kind}:${account.partyId}` : account.kind;
}

export interface PostedTransaction {
  readonly transactionId: TransactionId;
  readonly kind: TransactionKind;
  readonly memo: string;
  readonly reverses: TransactionId | null;
  /** What reverses it. */
  readonly reversedBy: TransactionId | null;
  readonly entries: readonly Entry[];
}

export async function findTransaction(
  db: Kysely<DB>,
  transactionId: TransactionId,
): Promise<PostedTransaction | undefined> {
  const { rows } = await sql<
    Omit<PostedTransaction, "entries"> & {
      account: ServerAccount;
      partyId: PartyId | null;
      amountMicros: bigint;
    }
  >`
    select t.transaction_id, t.kind, t.memo, t.reverses,
      (select r.transaction_id from ledger_transaction r
        where r.reverses = t.transaction_id) as reversed_by,
      a.kind as account, a.party_id, e.amount_micros
    from ledger_transaction t join ledger_entry e using (transaction_id)
    join account a using (account_id)
    where t.transaction_id = ${transactionId}
    order by e.account_id`.execute(db);
  const [first] = rows;
  if (!first) return undefined;
  const { account: _account, partyId: _partyId, amountMicros: _amount, ...found } = first;
  return {
    ...found,
    entries: rows.map(({ account: kind, partyId, amountMicros }) => ({
      account: (partyId === null ? { kind } : { kind, partyId }) as Entry["account"],
      amountMicros,
    })),
  };
}
