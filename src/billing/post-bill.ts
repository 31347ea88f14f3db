import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import type { BillId, LeaseId, PartyId } from "../unit/id.ts";
import { type Entry, post, releaseHold, settleHold } from "./ledger-store.ts";
import { type BillAmounts, type FeeTerms, type Posting, postingsOfBill } from "./postings.ts";

export interface BillToPost {
  readonly billId: BillId;
  /** Null: of enabled capacity, for which nothing is held. */
  readonly leaseId: LeaseId | null;
  readonly clientPartyId: PartyId;
  readonly lenderPartyId: PartyId;
  readonly amounts: BillAmounts;
  /** Of the lease's own tariff. */
  readonly terms: FeeTerms;
  /** Nothing is to come behind it: what is left of the hold is released. */
  readonly last: boolean;
  readonly now: Date;
}

/**
 * Moves what a stored bill moves and settles its lease's hold. In the bill's own transaction, under
 * the client's lock.
 */
export async function postBill(tx: Kysely<DB>, bill: BillToPost): Promise<void> {
  const postings = postingsOfBill(bill.amounts, bill.terms);
  if (postings.length > 0) {
    const posted = await post(tx, {
      kind: "bill",
      cause: bill.billId,
      postedBy: null,
      entries: postings.map((posting) => entryOf(posting, bill)),
      now: bill.now,
    });
    if (!posted) throw new Error(`${bill.billId} was posted before it was made`);
  }
  if (bill.leaseId === null) return;
  if (bill.last) await releaseHold(tx, bill.leaseId, bill.now);
  else await settleHold(tx, bill.leaseId, BigInt(bill.amounts.totalMicros));
}

function entryOf({ account, amountMicros }: Posting, bill: BillToPost): Entry {
  switch (account) {
    case "funds":
      return { account: { kind: account, partyId: bill.clientPartyId }, amountMicros };
    case "earnings":
      return { account: { kind: account, partyId: bill.lenderPartyId }, amountMicros };
    case "fee":
    case "rounding":
      return { account: { kind: account }, amountMicros };
  }
}
