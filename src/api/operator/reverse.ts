import { findTransaction, lockParty, type PostedTransaction } from "../../billing/ledger-store.ts";
import { isPosted, postGiven } from "../../billing/post-once.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { PartyId } from "../../unit/id.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

/**
 * The money of a mistaken posting goes back where it was, whatever a party has booked meanwhile:
 * its leases go on, and below its line it books nothing.
 */
export const reverse: Handler<"reverse"> = async (context, { caller, body }) => {
  const { reversalId, transactionId, memo } = body;
  const now = context.clock.now();
  return transaction(context.db, async (tx) => {
    const found = await findTransaction(tx, transactionId);
    if (!found) throw refusal("not-found", { what: "transaction", id: transactionId });
    const partyId = partyOf(found);
    if (partyId === null || found.kind === "bill" || found.kind === "reversal") {
      throw refusal("not-reversible", { transactionId, kind: found.kind });
    }
    await lockParty(tx, partyId);
    const given = {
      transactionId: reversalId,
      kind: "reversal" as const,
      memo,
      reverses: transactionId,
      postedBy: caller.partyId,
      entries: found.entries.map(({ account, amountMicros }) => ({
        account,
        amountMicros: -amountMicros,
      })),
      now,
    };
    if (!(await isPosted(tx, given))) {
      // Read again under the lock: another reversal may have come first.
      const reversedBy = (await findTransaction(tx, transactionId))?.reversedBy ?? null;
      if (reversedBy !== null) throw refusal("already-reversed", { transactionId, reversedBy });
      await postGiven(tx, given);
    }
    return viewAccount(context, tx, await getParty(tx, partyId));
  });
};

/** Deposits, withdrawals and payouts move the account of one party. */
function partyOf({ entries }: PostedTransaction): PartyId | null {
  const parties = entries.flatMap(({ account }) => ("partyId" in account ? account.partyId : []));
  return parties.length === 1 ? (parties[0] ?? null) : null;
}
