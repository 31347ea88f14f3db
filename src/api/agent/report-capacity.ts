import { markSeen, updateCapacity } from "../../host/store.ts";
import type { Handler } from "../handler.ts";

export const reportCapacity: Handler<"reportCapacity"> = async (context, { caller, body }) => {
  const { db, clock, keys } = context;
  await markSeen(db.kysely, caller.hostId, clock.now());
  await updateCapacity(db.kysely, caller.hostId, body);
  return { hostId: caller.hostId, serverKeys: keys.all.map((key) => ({ ...key })) };
};
