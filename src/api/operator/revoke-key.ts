import { revokeKey as revoke } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const revokeKey: Handler<"revokeKey"> = async ({ db, clock }, { params: { keyId } }) => {
  const revokedAt = await revoke(db.kysely, keyId, clock.now());
  return { keyId, revokedAt: revokedAt.toISOString() };
};
