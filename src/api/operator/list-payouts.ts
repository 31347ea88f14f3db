import { listPayoutsDue } from "../../billing/payout-store.ts";
import { minorUnitMicros } from "../amount.ts";
import type { Handler } from "../handler.ts";

export const listPayouts: Handler<"listPayouts"> = async ({ db, terms }, { query }) => {
  const { cursor, limit } = query;
  const due = await listPayoutsDue(db.kysely, {
    minMicros: BigInt(query.minMicros),
    minorUnitMicros: minorUnitMicros(terms),
    ...{ cursor, limit },
  });
  return {
    currency: terms.currency,
    payouts: due.map(({ lender, earnedMicros, paidOutMicros, dueMicros }) => ({
      lender: { ...lender },
      earnedMicros: earnedMicros.toString(),
      paidOutMicros: paidOutMicros.toString(),
      dueMicros: dueMicros.toString(),
    })),
    nextCursor: due.length === limit ? (due.at(-1)?.lender.id ?? null) : null,
  };
};
