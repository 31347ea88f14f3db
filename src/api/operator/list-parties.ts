import { listParties as readParties } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const listParties: Handler<"listParties"> = async ({ db }) => ({
  parties: (await readParties(db.kysely)).map((party) => ({ ...party, roles: [...party.roles] })),
});
