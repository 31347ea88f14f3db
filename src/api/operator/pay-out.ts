import { lockParty, readFunds } from "../../billing/ledger-store.ts";
import { payoutDueMicros } from "../../billing/payout-store.ts";
import { isPosted, postGiven } from "../../billing/post-once.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { minorUnitMicros, readAmountMicros } from "../amount.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

export const payOut: Handler<"payOut"> = async (context, { caller, body }) => {
  const { terms } = context;
  const amountMicros = readAmountMicros(body.amountMicros, "payout", terms);
  const party = await getParty(context.db.kysely, body.party);
  const { partyId } = party;
  const given = {
    transactionId: body.payoutId,
    kind: "payout" as const,
    memo: body.memo,
    postedBy: caller.partyId,
    entries: [
      { account: { kind: "earnings" as const, partyId }, amountMicros: -amountMicros },
      { account: { kind: "cash" as const }, amountMicros },
    ],
    now: context.clock.now(),
  };
  return transaction(context.db, async (tx) => {
    await lockParty(tx, partyId);
    if (!(await isPosted(tx, given))) {
      const { earningsMicros } = await readFunds(tx, partyId);
      const dueMicros = payoutDueMicros(earningsMicros, minorUnitMicros(terms));
      if (amountMicros > dueMicros) {
        const due = formatMoneyMicros(dueMicros);
        throw refusal("payout-above-due", { party: party.name, due });
      }
      await postGiven(tx, given);
    }
    return viewAccount(context, tx, party);
  });
};
