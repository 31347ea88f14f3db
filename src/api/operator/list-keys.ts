import { getParty, listKeys as readKeys } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const listKeys: Handler<"listKeys"> = async ({ db }, { params }) => {
  const { partyId } = await getParty(db.kysely, params.party);
  const keys = await readKeys(db.kysely, partyId);
  return {
    keys: keys.map((key) => ({
      ...key,
      createdAt: key.createdAt.toISOString(),
      revokedAt: key.revokedAt?.toISOString() ?? null,
    })),
  };
};
