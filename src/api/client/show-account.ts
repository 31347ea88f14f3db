import type { Kysely } from "kysely";
import { readFunds } from "../../billing/ledger-store.ts";
import type { DB } from "../../database/types.ts";
import type { Party } from "../../party/store.ts";
import type { ServerContext } from "../context.ts";
import type { Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

export const showAccount: Handler<"showAccount"> = (context, { caller }) =>
  viewAccount(context, context.db.kysely, caller);

export async function viewAccount(
  { terms }: Pick<ServerContext, "terms">,
  db: Kysely<DB>,
  party: Party,
): Promise<Response<"showAccount">> {
  const funds = await readFunds(db, party.partyId);
  return {
    party: { id: party.partyId, name: party.name },
    currency: terms.currency,
    balanceMicros: funds.balanceMicros.toString(),
    holdsMicros: funds.holdsMicros.toString(),
    creditLimitMicros: funds.creditLimitMicros.toString(),
    freeMicros: funds.freeMicros.toString(),
    earningsMicros: funds.earningsMicros.toString(),
  };
}
