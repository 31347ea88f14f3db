import { lockParty, setCreditLimit as writeCreditLimit } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import { getParty } from "../../party/store.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

/** A lower line than is in use stops new bookings; it ends no lease. */
export const setCreditLimit: Handler<"setCreditLimit"> = async (context, { params, body }) => {
  const party = await getParty(context.db.kysely, params.party);
  return transaction(context.db, async (tx) => {
    await lockParty(tx, party.partyId);
    await writeCreditLimit(tx, party.partyId, BigInt(body.creditLimitMicros));
    return viewAccount(context, tx, party);
  });
};
