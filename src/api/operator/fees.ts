import type { Kysely } from "kysely";
import { listFees as readFees, setFee as writeFee } from "../../billing/fee-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

export const listFees: Handler<"listFees"> = ({ db }) => viewFees(db.kysely);

/** For what is booked from now on: every lease keeps the rate of its own tariff. */
export const setFee: Handler<"setFee"> = async ({ db, clock }, { caller, body }) => {
  const { feePpm } = body;
  if (body.lender === null && feePpm === null) throw refusal("operator-fee-missing", {});
  const lender = body.lender === null ? null : await getParty(db.kysely, body.lender);
  if (lender && !lender.roles.includes("lender")) {
    throw refusal("not-found", { what: "lender", id: lender.name });
  }
  const lenderPartyId = lender?.partyId ?? null;
  return transaction(db, async (tx) => {
    await writeFee(tx, { lenderPartyId, feePpm, setBy: caller.partyId, now: clock.now() });
    return viewFees(tx);
  });
};

async function viewFees(db: Kysely<DB>): Promise<Response<"listFees">> {
  const rates = await readFees(db);
  const all = rates.find(({ lender }) => lender === null);
  if (!all) throw new Error("the first start settles a fee");
  return {
    feePpm: all.feePpm,
    setAt: all.setAt.toISOString(),
    lenders: rates.flatMap(({ lender, feePpm, setAt }) =>
      lender ? [{ lender: { ...lender }, feePpm, setAt: setAt.toISOString() }] : [],
    ),
  };
}
