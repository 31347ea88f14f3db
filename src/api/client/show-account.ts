import type { Kysely } from "kysely";
import { listHolds, readFunds, readOwnBooks } from "../../billing/ledger-store.ts";
import { payoutDueMicros } from "../../billing/payout-store.ts";
import type { DB } from "../../database/types.ts";
import type { Party } from "../../party/store.ts";
import { minorUnitMicros } from "../amount.ts";
import type { ServerContext } from "../context.ts";
import type { Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

export const showAccount: Handler<"showAccount"> = (context, { caller }) =>
  viewAccount(context, context.db.kysely, caller);

/** More open leases than anybody reads; their sum is told all the same. */
const HOLDS_SHOWN = 200;

export async function viewAccount(
  { terms }: Pick<ServerContext, "terms">,
  db: Kysely<DB>,
  party: Party,
): Promise<Response<"showAccount">> {
  const funds = await readFunds(db, party.partyId);
  const holds = await listHolds(db, party.partyId, HOLDS_SHOWN);
  const books = party.roles.includes("operator") ? await readOwnBooks(db) : null;
  const dueMicros = payoutDueMicros(funds.earningsMicros, minorUnitMicros(terms));
  return {
    party: { id: party.partyId, name: party.name },
    currency: terms.currency,
    balanceMicros: funds.balanceMicros.toString(),
    holdsMicros: funds.holdsMicros.toString(),
    creditLimitMicros: funds.creditLimitMicros.toString(),
    freeMicros: funds.freeMicros.toString(),
    holds: holds.map(({ leaseId, amountMicros, createdAt }) => ({
      leaseId,
      amountMicros: amountMicros.toString(),
      createdAt: createdAt.toISOString(),
    })),
    earnedMicros: funds.earnedMicros.toString(),
    paidOutMicros: funds.paidOutMicros.toString(),
    earningsMicros: funds.earningsMicros.toString(),
    payoutDueMicros: dueMicros.toString(),
    server: books && {
      cashMicros: books.cashMicros.toString(),
      feeMicros: books.feeMicros.toString(),
      roundingMicros: books.roundingMicros.toString(),
    },
  };
}
