import { lockParty, readFunds } from "../../billing/ledger-store.ts";
import { isPosted, postGiven } from "../../billing/post-once.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { readAmountMicros } from "../amount.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

/** Under the party's lock: what a booking holds at the same time is not given back. */
export const withdraw: Handler<"withdraw"> = async (context, { caller, body }) => {
  const amountMicros = readAmountMicros(body.amountMicros, "withdrawal", context.terms);
  const party = await getParty(context.db.kysely, body.party);
  const given = {
    transactionId: body.withdrawalId,
    kind: "withdrawal" as const,
    memo: body.memo,
    postedBy: caller.partyId,
    entries: [
      { account: { kind: "funds" as const, partyId: party.partyId }, amountMicros: -amountMicros },
      { account: { kind: "cash" as const }, amountMicros },
    ],
    now: context.clock.now(),
  };
  return transaction(context.db, async (tx) => {
    await lockParty(tx, party.partyId);
    if (!(await isPosted(tx, given))) {
      const { freeMicros } = await readFunds(tx, party.partyId);
      if (freeMicros < amountMicros) {
        const free = formatMoneyMicros(freeMicros);
        throw refusal("withdrawal-too-large", { party: party.name, free });
      }
      await postGiven(tx, given);
    }
    return viewAccount(context, tx, party);
  });
};
