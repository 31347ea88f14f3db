import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type LeaseId, newId, type PartyId, type TransactionId } from "../unit/id.ts";
import { formatMoneyMicros } from "../unit/money.ts";

/** What a party has. All in micro-units; credits are positive. */
export interface Funds {
  /** Deposits less bills. */
  readonly balanceMicros: bigint;
  readonly holdsMicros: bigint;
  readonly creditLimitMicros: bigint;
  /** balance − holds + credit limit: what can still be booked. */
  readonly freeMicros: bigint;
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
  const { rows } = await sql<Omit<Funds, "freeMicros">>`
    select p.credit_limit_micros,
      ${balance(partyId, "funds")} as balance_micros,
      ${balance(partyId, "earnings")} as earnings_micros,
      coalesce((select sum(amount_micros) from hold
        where party_id = ${partyId} and released_at is null), 0)::bigint as holds_micros
    from party p where p.party_id = ${partyId}`.execute(db);
  const [funds] = rows;
  if (!funds) throw refusal("not-found", { what: "party", id: partyId });
  return {
    ...funds,
    freeMicros: funds.balanceMicros - funds.holdsMicros + funds.creditLimitMicros,
  };
}

function balance(partyId: PartyId, kind: PartyAccount) {
  return sql`coalesce((select sum(e.amount_micros) from ledger_entry e
    join account a using (account_id) where a.party_id = ${partyId} and a.kind = ${kind}), 0)::bigint`;
}

/** Bookings and bills of one party take turns. */
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
  if (freeMicros < hold.byMicros) throw fundsShort(hold.byMicros, freeMicros);
  await changeHold(tx, hold.leaseId, hold.byMicros);
}

/** Gives back a part of what is held for a lease; nothing once the hold is released. */
export async function lowerHold(tx: Kysely<DB>, leaseId: LeaseId, byMicros: bigint): Promise<void> {
  await changeHold(tx, leaseId, -byMicros);
}

async function changeHold(tx: Kysely<DB>, leaseId: LeaseId, byMicros: bigint): Promise<void> {
  await tx
    .updateTable("hold")
    .set({ amountMicros: sql`amount_micros + ${byMicros}` })
    .where("leaseId", "=", leaseId)
    .where("releasedAt", "is", null)
    .execute();
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
  readonly kind: "deposit" | "bill";
  /** What it is for: the same cause is posted once. */
  readonly cause: string;
  readonly postedBy: string | null;
  readonly entries: readonly Entry[];
  readonly now: Date;
}

/** Answers false when this cause was posted before. The database refuses what does not balance. */
export async function post(tx: Kysely<DB>, transaction: NewTransaction): Promise<boolean> {
  const transactionId =
    transaction.transactionId ?? newId("transaction", transaction.now.getTime());
  const row = await tx
    .insertInto("ledgerTransaction")
    .values({
      transactionId,
      kind: transaction.kind,
      cause: transaction.cause,
      at: transaction.now,
      postedBy: transaction.postedBy,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("transactionId")
    .executeTakeFirst();
  if (!row) return false;
  for (const { account, amountMicros } of transaction.entries) {
    const accountId = await ensureAccount(tx, account);
    await tx.insertInto("ledgerEntry").values({ transactionId, accountId, amountMicros }).execute();
  }
  return true;
}

async function ensureAccount(tx: Kysely<DB>, account: Entry["account"]): Promise<string> {
  if (!("partyId" in account)) return account.kind;
  const accountId = `${account.kind}:${account.partyId}`;
  await tx
    .insertInto("account")
    .values({ accountId, partyId: account.partyId, kind: account.kind })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return accountId;
}

/** What an earlier transaction credited to the party's funds; null when there is none of that cause. */
export async function readDeposit(
  db: Kysely<DB>,
  cause: string,
): Promise<{ partyId: PartyId; amountMicros: bigint } | null> {
  const row = await db
    .selectFrom("ledgerTransaction as t")
    .innerJoin("ledgerEntry as e", "e.transactionId", "t.transactionId")
    .innerJoin("account as a", "a.accountId", "e.accountId")
    .where("t.cause", "=", cause)
    .where("a.kind", "=", "funds")
    .select(["a.partyId", "e.amountMicros"])
    .executeTakeFirst();
  return row?.partyId ? { partyId: row.partyId as PartyId, amountMicros: row.amountMicros } : null;
}
