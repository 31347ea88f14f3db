import { post, readDeposit } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

export const deposit: Handler<"deposit"> = async (context, { caller, body }) => {
  const amountMicros = BigInt(body.amountMicros);
  if (amountMicros === 0n) {
    throw refusal("invalid-input", { message: "a deposit of nothing; give an amount like 10.00" });
  }
  const minorUnitMicros = 10n ** BigInt(6 - context.terms.minorUnitDigits);
  if (amountMicros % minorUnitMicros !== 0n) {
    const least = formatMoneyMicros(minorUnitMicros);
    throw refusal("invalid-input", {
      message: `money comes in steps of ${least}; round the amount`,
    });
  }
  const now = context.clock.now();
  const party = await getParty(context.db.kysely, body.party);
  return transaction(context.db, async (tx) => {
    const posted = await post(tx, {
      transactionId: body.depositId,
      kind: "deposit",
      cause: body.depositId,
      postedBy: caller.partyId,
      entries: [
        { account: { kind: "cash" }, amountMicros: -amountMicros },
        { account: { kind: "funds", partyId: party.partyId }, amountMicros },
      ],
      now,
    });
    if (!posted) {
      const earlier = await readDeposit(tx, body.depositId);
      if (earlier?.partyId !== party.partyId || earlier.amountMicros !== amountMicros) {
        throw refusal("cause-reused", { cause: body.depositId });
      }
    }
    return viewAccount(context, tx, party);
  });
};
