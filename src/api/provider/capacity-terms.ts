import {
  listCapacityTerms as list,
  writeCapacityTerms,
} from "../../enablement/capacity/code-store.ts";
import type { Handler } from "../handler.ts";

export const setCapacityTerms: Handler<"setCapacityTerms"> = async (
  { db, clock },
  { caller, params: { resource }, body: terms },
) => {
  const { partyId: providerPartyId } = caller;
  await writeCapacityTerms(db.kysely, { providerPartyId, resource, terms, now: clock.now() });
  return { resource, terms };
};

export const listCapacityTerms: Handler<"listCapacityTerms"> = async ({ db }, { caller }) => {
  const terms = await list(db.kysely, caller.partyId);
  return { terms: terms.map(({ resource, terms: told }) => ({ resource, terms: told })) };
};
