import { lockParty } from "../../billing/ledger-store.ts";
import { isPosted, postGiven } from "../../billing/post-once.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { readAmountMicros } from "../amount.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

export const deposit: Handler<"deposit"> = async (context, { caller, body }) => {
  const amountMicros = readAmountMicros(body.amountMicros, "deposit", context.terms);
  const party = await getParty(context.db.kysely, body.party);
  const given = {
    transactionId: body.depositId,
    kind: "deposit" as const,
    memo: body.memo,
    postedBy: caller.partyId,
    entries: [
      { account: { kind: "cash" as const }, amountMicros: -amountMicros },
      { account: { kind: "funds" as const, partyId: party.partyId }, amountMicros },
    ],
    now: context.clock.now(),
  };
  return transaction(context.db, async (tx) => {
    await lockParty(tx, party.partyId);
    if (!(await isPosted(tx, given))) await postGiven(tx, given);
    return viewAccount(context, tx, party);
  });
};
