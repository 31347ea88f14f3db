import { transaction } from "../../database/transaction.ts";
import { JOIN_TOKEN_HOURS, newJoinSecret, writeJoinToken } from "../../host/join-token.ts";
import { insertEnrolmentToken, insertHost } from "../../host/store.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { Handler } from "../handler.ts";
import { viewHost } from "../views.ts";

export const addHost: Handler<"addHost"> = async (context, { caller, body }) => {
  const now = context.clock.now();
  const expiresAt = new Date(now.getTime() + JOIN_TOKEN_HOURS * 3_600_000);
  const secret = newJoinSecret();
  const host = await transaction(context.db, async (tx) => {
    const made = await insertHost(tx, { lenderPartyId: caller.partyId, name: body.name, now });
    await insertEnrolmentToken(tx, { hostId: made.hostId, secret, expiresAt });
    return made;
  });
  const joinToken = writeJoinToken({
    v: 1,
    url: context.publicUrl(),
    secret,
    serverId: context.serverId,
    serverKid: context.keys.current.kid,
  });
  return {
    host: viewHost(context, host, caller.name, SIZE_ZERO),
    joinToken,
    expiresAt: expiresAt.toISOString(),
  };
};
