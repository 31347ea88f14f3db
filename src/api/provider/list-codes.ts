import { listCodes as list } from "../../enablement/capacity/code-store.ts";
import type { Handler } from "../handler.ts";
import { viewCodes } from "./view.ts";

export const listCodes: Handler<"listCodes"> = async ({ db }, { caller }) => ({
  codes: await viewCodes(db.kysely, await list(db.kysely, { providerPartyId: caller.partyId })),
});
